//! What a TLS handshake has told about a client.

/// Of a downstream connection that is TLS. Made once per connection.
#[derive(Debug)]
pub struct TlsInfo {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: &'static str,
    /// The name that the client asked for (RFC 6066, section 3).
    pub sni: Option<Box<str>>,
    /// The certificate that the client has shown and that was verified.
    pub identity: Option<Identity>,
}

/// What a client's certificate says, as text that cannot be mistaken: separators inside a value are escaped.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The subject as RFC 4514 writes it, the most specific part first: `CN=alice,O=Example`.
    pub subject: Box<str>,
    /// The subject's alternative names: `DNS:a.example, URI:spiffe://example/a`; none if there are none.
    pub alternative_names: Option<Box<str>>,
    /// The SPIFFE ID, if this is an X.509-SVID: the only URI among the names, and below `spiffe://`.
    pub spiffe_id: Option<Box<str>>,
}
