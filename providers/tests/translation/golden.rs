//! Golden files: every fixture in every other format, byte for byte. `UPDATE_GOLDEN=1` writes them anew; what changed is for a
//! person to read.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use providers::translate::{Translation, Untranslatable, Wire};

use crate::support::layout::laid_out;
use crate::support::{CLIENTS, Fixture, Kind, VENDORS, answered, fixtures, folder, streamed, target, text};

#[test]
fn requests_are_translated_as_agreed() {
    let mut golden = Golden::default();
    for fixture in fixtures(Kind::Request) {
        for vendor in VENDORS.into_iter().filter(|vendor| *vendor != fixture.wire) {
            golden.add(&fixture, "request", vendor, "json", request(&fixture, vendor));
        }
    }
    golden.compare("request");
}

/// What is asked for, what is left out for it, and whether that must be allowed.
fn request(fixture: &Fixture, vendor: Wire) -> String {
    let translation = Translation::between(fixture.wire, vendor);
    let refused = match translation.request(&fixture.bytes, &target(false)) {
        Ok(_) => String::from("[]"),
        Err(Untranslatable::Inexpressible { fields }) => serde_json::to_string(&fields).unwrap(),
        Err(error @ (Untranslatable::Unreadable(_) | Untranslatable::Stored { .. })) => {
            return laid_out(&serde_json::json!({ "error": error.to_string() }).to_string());
        }
    };
    let translated = translation.request(&fixture.bytes, &target(true)).unwrap();
    let dropped = serde_json::to_string(&translated.dropped).unwrap();
    laid_out(&format!(r#"{{"refused":{refused},"dropped":{dropped},"body":{}}}"#, text(&translated.body)))
}

#[test]
fn answers_are_translated_as_agreed() {
    let mut golden = Golden::default();
    for fixture in fixtures(Kind::Answer).into_iter().filter(|fixture| fixture.wire != Wire::Completions) {
        for client in CLIENTS.into_iter().filter(|client| *client != fixture.wire) {
            let told = answered(client, fixture.wire, &fixture.bytes);
            let told = told
                .map_or_else(|error| serde_json::json!({ "error": error }).to_string(), |told| text(&told).to_owned());
            golden.add(&fixture, "answer", client, "json", laid_out(&told));
        }
    }
    golden.compare("answer");
}

#[test]
fn streams_are_translated_as_agreed() {
    let mut golden = Golden::default();
    for fixture in fixtures(Kind::Stream).into_iter().filter(|fixture| fixture.wire != Wire::Completions) {
        for client in CLIENTS.into_iter().filter(|client| *client != fixture.wire) {
            let told = streamed(client, fixture.wire, [fixture.bytes.as_slice()]);
            golden.add(
                &fixture,
                "stream",
                client,
                "sse",
                told.map_or_else(|error| error, |told| text(&told).to_owned()),
            );
        }
    }
    golden.compare("stream");
}

/// What we write, we can read: whatever goes out in a format is understood by the reader of that format.
#[test]
fn what_is_written_is_read_again() {
    let other = |wire| if wire == Wire::Messages { Wire::Responses } else { Wire::Messages };
    for fixture in fixtures(Kind::Request) {
        for vendor in VENDORS.into_iter().filter(|vendor| *vendor != fixture.wire) {
            let Ok(translated) = Translation::between(fixture.wire, vendor).request(&fixture.bytes, &target(true))
            else {
                continue;
            };
            let again = Translation::between(vendor, other(vendor)).request(&translated.body, &target(true));
            // What is named by an id was read, and is the vendor's own.
            let is_read = matches!(again, Ok(_) | Err(Untranslatable::Stored { .. }));
            assert!(is_read, "{} to {vendor:?}: {again:?}\n{}", fixture.name(), text(&translated.body));
        }
    }
    for client in VENDORS {
        for fixture in fixtures(Kind::Answer)
            .into_iter()
            .filter(|fixture| fixture.wire != client && fixture.wire != Wire::Completions && !fixture.is_failure())
        {
            let Ok(told) = answered(client, fixture.wire, &fixture.bytes) else { continue };
            let again = answered(other(client), client, &told);
            assert!(again.is_ok(), "{} to {client:?}: {again:?}\n{}", fixture.name(), text(&told));
        }
        for fixture in fixtures(Kind::Stream)
            .into_iter()
            .filter(|fixture| fixture.wire != client && fixture.wire != Wire::Completions && !fixture.is_failure())
        {
            let Ok(told) = streamed(client, fixture.wire, [fixture.bytes.as_slice()]) else { continue };
            let again = streamed(other(client), client, [told.as_slice()]);
            assert!(again.is_ok(), "{} to {client:?}: {again:?}\n{}", fixture.name(), text(&told));
        }
    }
}

/// Golden files as they should be, by their names.
#[derive(Default)]
struct Golden(BTreeMap<String, String>);

impl Golden {
    fn add(&mut self, fixture: &Fixture, kind: &str, to: Wire, ending: &str, content: String) {
        self.0.insert(format!("{}/{}.{kind}.{}.{ending}", fixture.wire.as_str(), fixture.case, to.as_str()), content);
    }

    fn compare(&self, kind: &str) {
        let root = folder().join("golden");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            self.write(&root, kind);
        }
        let there = read(&root, kind);
        let differing: Vec<_> = self.0.iter().filter(|(name, content)| there.get(*name) != Some(content)).collect();
        let superfluous: Vec<_> = there.keys().filter(|name| !self.0.contains_key(*name)).collect();
        let shown: String =
            differing.iter().take(3).map(|(name, content)| difference(name, there.get(*name), content)).collect();
        let names: Vec<_> = differing.iter().map(|(name, _)| name).collect();
        assert!(
            differing.is_empty() && superfluous.is_empty(),
            "{shown}\ndiffering: {names:?}\nsuperfluous: {superfluous:?}\nUPDATE_GOLDEN=1 writes them anew"
        );
    }

    fn write(&self, root: &Path, kind: &str) {
        for name in read(root, kind).keys().filter(|name| !self.0.contains_key(*name)) {
            fs::remove_file(root.join(name)).unwrap();
        }
        for (name, content) in &self.0 {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
    }
}

fn read(root: &Path, kind: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for wire in CLIENTS {
        let Ok(entries) = fs::read_dir(root.join(wire.as_str())) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            let name = format!("{}/{}", wire.as_str(), path.file_name().unwrap().to_str().unwrap());
            if name.contains(&format!(".{kind}.")) {
                found.insert(name, fs::read_to_string(path).unwrap());
            }
        }
    }
    found
}

/// The first line that differs, and its neighbours.
fn difference(name: &str, old: Option<&String>, new: &str) -> String {
    let Some(old) = old else { return format!("{name}: there is no golden file\n") };
    let (mut old, mut new) = (old.lines(), new.lines());
    for line in 1.. {
        match (old.next(), new.next()) {
            (None, None) => break,
            (left, right) if left == right => {}
            (left, right) => {
                return format!(
                    "{name}:{line}:\n  - {}\n  + {}\n",
                    left.unwrap_or_default(),
                    right.unwrap_or_default()
                );
            }
        }
    }
    String::new()
}
