//! Remembers what rules said to questions that come again. Bounded: a place holds one question, and a newer one takes it.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::{Facts, Who};
use crate::request::Operation;
use crate::route::expr::Match;

/// How many questions are remembered.
const PLACES: usize = 4_096;
/// Questions of more text are not remembered: a model can have any name.
const MOST_BYTES: usize = 512;

/// Answers to a question, one for each rule it goes through; `None` where it depends on more.
pub(super) type Answers = Arc<[Option<Match>]>;

/// Everything that the answers of such rules depend on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    /// Model and provider; id and name of key, team and customer, empty where they do not matter.
    texts: [&'a str; 8],
    operation: Operation,
}

impl<'a> Question<'a> {
    /// `has_rules` says whether key, team and customer have rules of their own, `about_who` whether any rule looks at them.
    pub(super) fn of(who: &Who<'a>, facts: &Facts<'a, '_>, has_rules: [bool; 4], about_who: bool) -> Self {
        let [has_key, has_team, has_customer, _] = has_rules;
        let [key, team, customer] = who.ids_and_names();
        let id = |one: (&'a str, &'a str), has_rules: bool| if has_rules || about_who { one.0 } else { "" };
        let name = |one: (&'a str, &'a str)| if about_who { one.1 } else { "" };
        let texts = [
            facts.model,
            facts.provider,
            id(key, has_key),
            name(key),
            id(team, has_team),
            name(team),
            id(customer, has_customer),
            name(customer),
        ];
        Self { texts, operation: facts.operation }
    }

    fn is_small(&self) -> bool {
        self.texts.iter().map(|text| text.len()).sum::<usize>() <= MOST_BYTES
    }
}

#[derive(Debug)]
struct Entry {
    texts: [Box<str>; 8],
    operation: Operation,
    answers: Answers,
}

impl Entry {
    fn is_of(&self, question: &Question<'_>) -> bool {
        self.operation == question.operation
            && self.texts.iter().zip(question.texts).all(|(own, asked)| **own == *asked)
    }
}

type Place = Mutex<Option<Arc<Entry>>>;

/// What is remembered. Empty until the first question.
#[derive(Debug, Default)]
pub(super) struct Memo {
    places: OnceLock<Box<[Place]>>,
    hasher: RandomState,
}

impl Memo {
    /// The answers to a question: those that are remembered, or else those that `find` gives.
    pub(super) fn answers(&self, question: &Question<'_>, find: impl FnOnce() -> Box<[Option<Match>]>) -> Answers {
        let Some(place) = self.place(question) else { return find().into() };
        let lock = || place.lock().unwrap_or_else(PoisonError::into_inner);
        // The guard is gone at the end of the statement: nothing is compared or evaluated under the lock.
        let entry = lock().clone();
        if let Some(entry) = entry.filter(|entry| entry.is_of(question)) {
            return Arc::clone(&entry.answers);
        }
        let answers: Answers = find().into();
        let texts = question.texts.map(Box::from);
        let entry = Entry { texts, operation: question.operation, answers: Arc::clone(&answers) };
        let old = lock().replace(Arc::new(entry));
        drop(old);
        answers
    }

    fn place(&self, question: &Question<'_>) -> Option<&Place> {
        if !question.is_small() {
            return None;
        }
        let places = self.places.get_or_init(|| (0..PLACES).map(|_| Place::default()).collect());
        let hash = self.hasher.hash_one((question.texts, question.operation));
        let index = usize::try_from(hash).unwrap_or(0) % PLACES;
        places.get(index)
    }
}
