//! Tests of the steps of counter.
