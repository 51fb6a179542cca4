//! Answers of gRPC's health protocol: one varint out of a message of the server's.

use tollgate::upstream::serving_status;

/// A message with its prefix, and the same without, which gets one.
pub fn run(data: &[u8]) {
    let _ = serving_status(data);
    let prefix = u32::try_from(data.len()).unwrap_or(u32::MAX).to_be_bytes();
    let status = serving_status(&[&[0], prefix.as_slice(), data].concat());
    // The field can be said again at the end, where it counts (as protobuf has it).
    let again = [data, &[8, 1]].concat();
    let prefix = u32::try_from(again.len()).unwrap_or(u32::MAX).to_be_bytes();
    if status.is_some() {
        assert_eq!(serving_status(&[&[0], prefix.as_slice(), &again].concat()), Some(1));
    }
}

/// Messages with and without other fields.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    vec![vec![8, 1], vec![0x12, 2, 9, 9, 0x18, 5, 8, 2], vec![0, 0, 0, 0, 2, 8, 1], vec![0x0a, 0xac, 0x02]]
}
