//! `traceparent`: what is read of version 00 is written the same again.

use tollgate::telemetry::TraceContext;

/// The value of the field.
pub fn run(data: &[u8]) {
    let Some(context) = TraceContext::parse(data) else { return };
    assert!(context.trace != 0 && context.span != 0);
    let (text, written) = (String::from_utf8_lossy(data), context.to_string());
    assert_eq!(text[2..53], written[2..53], "{text}");
    assert!(data.len() == 55 || (&data[..2] != b"00" && data[55] == b'-'), "{text}");
    assert_eq!(TraceContext::parse(written.as_bytes()), Some(context));
}

/// One of each version.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    super::texts([
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-02-more",
    ])
}
