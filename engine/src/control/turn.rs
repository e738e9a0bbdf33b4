//! Whose turn it is. Changes that wait for each other are kept in one transaction: whoever has the turn makes those of all who wait,
//! one after the other, each on top of those before it. One that is wrong fails alone.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use policy::declare::entity::Kind;
use policy::provider::Secret;
use store::registry::{Refused, RegistryError, Write};

use super::actor::Author;
use super::calls::Given;
use super::change::{Draft, Drafted};
use super::kept::{Kept, Position};
use super::{Actor, Control, ControlError, Created, Entry};

/// So many changes are kept in one transaction at most.
const MOST: usize = 64;
/// So often it is begun anew because another process was quicker.
const TRIES: u32 = 10;

/// Drafts a change; perhaps more than once.
type Work = Box<dyn Fn(&mut Draft<'_>) -> Given + Send>;

/// What came of a change.
#[derive(Debug)]
pub(super) struct Done {
    /// The entities that were made or replaced; the one that was asked for is the last.
    pub(super) entries: Vec<Entry>,
    /// The token that was made.
    pub(super) token: Option<Secret>,
}

impl Done {
    /// An entity among those that were made or replaced.
    pub(super) fn made(self, kind: Kind, id: &str) -> Result<Created, ControlError> {
        let entry = self.entries.into_iter().find(|entry| (entry.kind, &*entry.id) == (kind, id));
        let entry = entry.ok_or_else(|| ControlError::internal("a change made nothing"))?;
        Ok(Created { entry, token: self.token })
    }

    /// The entity that was asked for.
    pub(super) fn created(mut self) -> Result<Created, ControlError> {
        let entry = self.entries.pop().ok_or_else(|| ControlError::internal("a change made nothing"))?;
        Ok(Created { entry, token: self.token })
    }
}

/// A change that waits to be made.
struct Job {
    author: Author,
    action: &'static str,
    work: Work,
    /// Where whoever waits for it finds what came of it.
    reply: Arc<Reply>,
}

type Reply = Mutex<Option<Result<Done, ControlError>>>;

/// The changes that wait.
#[derive(Default)]
pub(super) struct Queue(Mutex<VecDeque<Job>>);

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}

#[cfg(test)]
impl Queue {
    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.0.lock().len()
    }
}

impl Job {
    fn answer(self, result: Result<Done, ControlError>) {
        *self.reply.lock() = Some(result);
    }
}

/// Changes that were drafted on top of each other.
struct Batch {
    changes: Vec<(Job, Drafted, Option<Secret>)>,
    /// What is in force and kept after the last of them.
    kept: Kept,
    rows: HashSet<(Kind, Box<str>)>,
    names: HashSet<(String, String)>,
}

impl Batch {
    /// Whether what is not kept yet may change what a draft came to.
    fn concerns(&self, reads: &HashSet<(Kind, Box<str>)>, write: Option<&Write>) -> bool {
        let is_named = |(kind, name): (&String, &String)| self.names.contains(&(kind.clone(), name.clone()));
        !self.rows.is_disjoint(reads) || write.is_some_and(|write| names(write).any(is_named))
    }

    fn add(&mut self, job: Job, drafted: Drafted, token: Option<Secret>) {
        let write = &drafted.write;
        let put = write.puts.iter().map(|put| (&put.entity.kind, &put.entity.id));
        let removed = write.removals.iter().map(|removal| (&removal.kind, &removal.id));
        let rows = put.chain(removed).filter_map(|(kind, id)| Some((kind.parse().ok()?, id.as_str().into())));
        self.rows.extend(rows);
        self.names.extend(names(write).map(|(kind, name)| (kind.clone(), name.clone())));
        self.kept = drafted.kept.clone();
        self.changes.push((job, drafted, token));
    }
}

/// The names that no other entity may have.
fn names(write: &Write) -> impl Iterator<Item = (&String, &String)> {
    let entities = write.puts.iter().map(|put| &put.entity).filter(|entity| entity.is_name_unique);
    entities.filter_map(|entity| Some((&entity.kind, entity.name.as_ref()?)))
}

impl Control {
    /// Has a change made, by whoever has the turn, and waits for it.
    pub(super) fn change(
        &self,
        actor: &Actor<'_>,
        action: &'static str,
        work: impl Fn(&mut Draft<'_>) -> Given + Send + 'static,
    ) -> Result<Done, ControlError> {
        let reply = Arc::new(Reply::default());
        let job = Job { author: Author::of(actor), action, work: Box::new(work), reply: Arc::clone(&reply) };
        self.0.queue.0.lock().push_back(job);
        let mut turn = self.0.turn.lock();
        if reply.lock().is_none() {
            self.lead(&mut turn);
        }
        drop(turn);
        let done = reply.lock().take();
        // Whoever had it made panicked.
        done.unwrap_or_else(|| Err(ControlError::internal("the change was lost")))
    }

    /// Makes the changes that wait.
    fn lead(&self, turn: &mut Position) {
        let mut jobs = std::mem::take(&mut *self.0.queue.0.lock());
        let mut tries = 0;
        while !jobs.is_empty() {
            if let Err(error) = self.catch_up(turn) {
                return jobs.into_iter().for_each(|job| job.answer(Err(error.clone())));
            }
            let batch = self.gather(turn, &mut jobs);
            if batch.changes.is_empty() {
                continue;
            }
            let is_last_try = tries >= TRIES;
            tries += u32::from(!self.keep_batch(batch, turn, &mut jobs, is_last_try));
        }
    }

    /// Drafts changes on top of each other, from the front, up to one that depends on what those before it change or that is wrong
    /// after them. One that is wrong by itself is answered; so are all, if the database cannot be used.
    fn gather(&self, turn: &Position, jobs: &mut VecDeque<Job>) -> Batch {
        let kept = Kept { snapshot: (*self.snapshot()).clone(), position: turn.clone() };
        let mut batch = Batch { changes: Vec::new(), kept, rows: HashSet::new(), names: HashSet::new() };
        while batch.changes.len() < MOST {
            let Some(job) = jobs.pop_front() else { break };
            let mut draft = self.draft(batch.kept.clone(), job.author.actor(), job.action);
            let given = (job.work)(&mut draft);
            let (reads, drafted) = (draft.reads(), given.map(|token| (draft.done(), token)));
            if batch.concerns(&reads, drafted.as_ref().ok().map(|(drafted, _)| &drafted.write)) {
                jobs.push_front(job);
                break;
            }
            match drafted {
                Ok((drafted, token)) => batch.add(job, drafted, token),
                // What made it wrong is not kept yet, and perhaps never will be.
                Err(_) if !batch.changes.is_empty() => {
                    jobs.push_front(job);
                    break;
                }
                // Each of those that wait would wait as long for the same answer.
                Err(error @ ControlError::Unavailable(_)) => {
                    jobs.drain(..).chain([job]).for_each(|job| job.answer(Err(error.clone())));
                }
                Err(error) => job.answer(Err(error)),
            }
        }
        batch
    }

    /// Keeps them and puts them in force. `false`: another process was quicker, and they wait again.
    fn keep_batch(&self, batch: Batch, turn: &mut Position, jobs: &mut VecDeque<Job>, is_last_try: bool) -> bool {
        let writes: Vec<_> = batch.changes.iter().map(|(_, drafted, _)| &drafted.write).collect();
        match self.0.parts.registry.commit_all(Some(turn.revision), &writes) {
            Ok(done) => {
                let budgets = batch.changes.iter().flat_map(|(_, drafted, _)| &drafted.budgets).cloned().collect();
                let revision = done.last().map_or(turn.revision, |last| last.revision);
                self.put_in_force(batch.kept, revision, budgets, turn);
                for ((job, drafted, token), committed) in batch.changes.into_iter().zip(done) {
                    let entries = drafted.entries.into_iter();
                    let entries = entries.map(|entry| Entry { revision: committed.revision, ..entry }).collect();
                    job.answer(Ok(Done { entries, token }));
                }
                true
            }
            Err(Refused { error: RegistryError::Moved { .. }, .. }) if !is_last_try => {
                wait_again(batch.changes.into_iter(), jobs);
                false
            }
            // That one is wrong. The others were drafted with it in force.
            Err(Refused { at: Some(at), error }) if !error.is_unavailable() => {
                let mut others = Vec::new();
                let mut wrong = Some(ControlError::from(error));
                for (index, change) in batch.changes.into_iter().enumerate() {
                    match wrong.take_if(|_| index == at) {
                        Some(error) => change.0.answer(Err(error)),
                        None => others.push(change),
                    }
                }
                wait_again(others.into_iter(), jobs);
                true
            }
            Err(Refused { error, .. }) => {
                let error = ControlError::from(error);
                batch.changes.into_iter().for_each(|(job, ..)| job.answer(Err(error.clone())));
                true
            }
        }
    }

    /// Makes a change by itself, without waiting for others; again where another process was quicker.
    pub(super) fn alone<T>(
        &self,
        actor: &Actor<'_>,
        action: &'static str,
        work: impl Fn(&mut Draft<'_>) -> Result<T, ControlError>,
    ) -> Result<T, ControlError> {
        let mut turn = self.0.turn.lock();
        let mut tries = 0;
        loop {
            self.catch_up(&mut turn)?;
            let kept = Kept { snapshot: (*self.snapshot()).clone(), position: turn.clone() };
            let mut draft = self.draft(kept, *actor, action);
            let done = work(&mut draft)?;
            let Drafted { kept, budgets, write, .. } = draft.done();
            match commit(&self.0.parts.registry, turn.revision, &write) {
                Ok(revision) => {
                    self.put_in_force(kept, revision, budgets, &mut turn);
                    return Ok(done);
                }
                Err(RegistryError::Moved { .. }) if tries < TRIES => tries += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Keeps one change, if there is anything to be kept, and gives the revision after it.
pub(super) fn commit(registry: &store::Registry, base: u64, write: &Write) -> Result<u64, RegistryError> {
    if write.puts.is_empty() && write.removals.is_empty() && write.audit.is_empty() {
        return Ok(base);
    }
    let done = registry.commit_all(Some(base), &[write]).map_err(|refused| refused.error)?;
    Ok(done.last().map_or(base, |last| last.revision))
}

/// They are made before those that wait, in their order.
fn wait_again(changes: impl DoubleEndedIterator<Item = (Job, Drafted, Option<Secret>)>, jobs: &mut VecDeque<Job>) {
    changes.rev().for_each(|(job, ..)| jobs.push_front(job));
}
