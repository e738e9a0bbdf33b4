//! Tests of the steps of pace.
