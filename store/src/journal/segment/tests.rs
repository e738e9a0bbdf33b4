use std::fs;

use tempfile::tempdir;

use super::*;

fn records(byte: u8) -> Vec<u8> {
    let mut records = vec![1, 0, 0, 0, 0, 0, 0, 0, byte];
    record::stamp(&mut records, 0);
    records
}

#[test]
fn what_is_appended_is_there() {
    let folder = tempdir().unwrap();
    let mut segment = Segment::create(folder.path(), 2).unwrap();
    segment.append(&mut records(5)).unwrap();
    segment.append(&mut records(6)).unwrap();
    assert_eq!(segment.bytes(), 18);
    let bytes = fs::read(folder::segment(folder.path(), 2)).unwrap();
    assert_eq!(bytes, [1, 0, 0, 0, 2, 0, 0, 0, 5, 1, 0, 0, 0, 2, 0, 0, 0, 6]);
}

#[test]
fn a_file_that_is_there_is_not_taken_for_a_new_one() {
    let folder = tempdir().unwrap();
    Segment::create(folder.path(), 2).unwrap();
    assert!(Segment::create(folder.path(), 2).is_err());
}

#[test]
fn a_segment_that_can_be_neither_written_nor_cut_off_is_torn() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("x");
    fs::write(&path, "").unwrap();
    let mut segment = Segment::new(File::open(&path).unwrap(), 1);
    assert!(segment.append(&mut records(5)).is_err());
    assert!(segment.is_torn());
    // Even if it could be written now: somebody's half record may be at its end.
    segment.file = Arc::new(OpenOptions::new().append(true).open(&path).unwrap());
    assert!(segment.append(&mut records(5)).unwrap_err().to_string().contains("damaged"));
    assert_eq!(segment.bytes(), 0);
}
