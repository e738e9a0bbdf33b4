//! Facts about streams that go on.
