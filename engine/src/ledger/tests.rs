//! The ledger beside a plain model of what it promises, in random worlds.

mod books;
mod clamping;
pub(crate) mod notebook;
mod play;
mod restoring;
mod step;
mod threads;
pub(crate) mod world;

use proptest::prelude::*;

use play::Play;
use step::steps;
use world::world;

proptest! {
    #[test]
    fn whatever_happens_the_accounts_say_what_plain_books_say(world in world(), steps in steps()) {
        let mut play = Play::new(world);
        for (pause, step) in &steps {
            play.step(*pause, step);
        }
        play.finish();
    }
}
