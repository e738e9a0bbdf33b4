//! Many calls over simulated minutes, with given time and dice: how balancing and health do together.

mod adaptive;
mod outage;
mod world;
