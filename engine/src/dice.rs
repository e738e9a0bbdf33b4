//! The only place where chance comes from.

use policy::route::Dice;

/// Random numbers of the calling thread; good for spreading load, not for secrets.
#[derive(Clone, Copy, Debug, Default)]
pub struct ThreadDice;

impl Dice for ThreadDice {
    fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { fastrand::u64(0..bound) }
    }
}
