mod any;
mod client;
mod diverging;
mod dying;
mod going_on;
mod prefill;
mod vendor;
