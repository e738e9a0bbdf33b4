//! Choices over many draws, and what stays where it is.
