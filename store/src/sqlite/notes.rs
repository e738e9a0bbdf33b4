//! Texts that are kept under a name.

use rusqlite::{Connection, OptionalExtension};

use crate::registry::RegistryError;

pub(super) fn note(connection: &Connection, name: &str) -> Result<Option<String>, RegistryError> {
    let mut statement = connection.prepare_cached("SELECT text FROM notes WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| row.get(0)).optional()?)
}

pub(super) fn all(connection: &Connection) -> Result<Vec<(String, String)>, RegistryError> {
    let mut statement = connection.prepare_cached("SELECT name, text FROM notes ORDER BY name")?;
    let notes = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(notes.collect::<Result<_, _>>()?)
}

pub(super) fn set(connection: &Connection, name: &str, text: &str) -> Result<(), RegistryError> {
    let set = "INSERT INTO notes (name, text) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET text = excluded.text";
    connection.prepare_cached(set)?.execute([name, text])?;
    Ok(())
}
