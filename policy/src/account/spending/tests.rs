//! Tests of the steps of spending.
