//! Which migrations a database needs, whatever database it is. `migrations/README.md` has the rules.

use sha2::{Digest, Sha256};

use crate::StoreError;

/// A migration that was run: its number, and the checksum of its text. An early SQLite file has none.
pub(crate) type Applied = (u32, Option<String>);

/// A migration that is to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pending {
    pub(crate) version: u32,
    pub(crate) sql: &'static str,
    pub(crate) checksum: String,
}

/// What of `known` is to be run on a database where `applied` was, in order.
pub(crate) fn pending(known: &[&'static str], applied: &[Applied]) -> Result<Vec<Pending>, StoreError> {
    let newest = applied.iter().map(|(version, _)| *version).max().unwrap_or_default();
    let last = u32::try_from(known.len()).unwrap_or(u32::MAX);
    if newest > last {
        return Err(StoreError::Newer { found: newest, known: last });
    }
    let known = (1..).zip(known).map(|(version, sql)| Pending { version, sql, checksum: checksum(sql) });
    let mut pending = Vec::new();
    for migration in known {
        match applied.iter().find(|(version, _)| *version == migration.version) {
            None => pending.push(migration),
            Some((version, Some(checksum))) if *checksum != migration.checksum => {
                return Err(StoreError::Altered { version: *version });
            }
            Some(_) => {}
        }
    }
    Ok(pending)
}

/// Of a migration's text, in hexadecimal digits.
pub(crate) fn checksum(sql: &str) -> String {
    Sha256::digest(sql).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The files of a folder of migrations are what is compiled in, numbered without a gap.
#[cfg(test)]
pub(crate) fn check_folder(name: &str, known: &[&str]) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations").join(name);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), known.len());
    for (number, (path, sql)) in (1..).zip(files.iter().zip(known)) {
        let file = path.file_name().unwrap().to_str().unwrap();
        assert!(file.starts_with(&format!("{number:04}_")), "{file}");
        assert_eq!(std::fs::read_to_string(path).unwrap(), *sql, "{file}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(known: &[&'static str], applied: &[Applied]) -> Vec<u32> {
        pending(known, applied).unwrap().iter().map(|migration| migration.version).collect()
    }

    #[test]
    fn only_what_was_not_run_is_run() {
        let ran = |version, sql: &str| (version, Some(checksum(sql)));
        assert_eq!(versions(&["a", "b", "c"], &[]), [1, 2, 3]);
        assert_eq!(versions(&["a", "b", "c"], &[ran(1, "a"), (2, None)]), [3]);
        assert!(versions(&["a"], &[ran(1, "a")]).is_empty());
    }

    #[test]
    fn what_is_newer_or_other_is_refused() {
        let error = pending(&["a"], &[(1, None), (2, None)]).unwrap_err();
        assert!(matches!(error, StoreError::Newer { found: 2, known: 1 }), "{error}");
        let error = pending(&["a", "b"], &[(1, Some(checksum("a'")))]).unwrap_err();
        assert!(matches!(error, StoreError::Altered { version: 1 }), "{error}");
    }

    #[test]
    fn checksums_are_those_that_everybody_computes() {
        assert_eq!(checksum("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
