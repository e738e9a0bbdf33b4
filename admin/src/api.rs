//! What can be asked: a file for each resource. What is alike for all entities is in `crud`.

pub(crate) mod api_keys;
pub(crate) mod audit;
pub(crate) mod charges;
pub(crate) mod config;
pub(crate) mod crud;
pub(crate) mod entities;
pub(crate) mod explain;
pub(crate) mod keys;
pub(crate) mod logs;
pub(crate) mod models;
pub(crate) mod providers;
pub(crate) mod session;
pub(crate) mod virtual_keys;
