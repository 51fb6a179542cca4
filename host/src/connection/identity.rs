//! What a client's certificate says, as text for filters and logs. Parsed once for each connection.

use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::objects::{oid_registry, oid2abbrev};
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

use crate::message::Identity;

/// The identity in a certificate (DER); none if it cannot be parsed, which verified ones can.
#[must_use]
pub fn of(certificate: &[u8]) -> Option<Identity> {
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let names = alternative_names(&certificate);
    let text: Vec<String> = names.iter().filter_map(show).collect();
    Some(Identity {
        subject: subject(certificate.subject()).into(),
        alternative_names: (!text.is_empty()).then(|| text.join(", ").into()),
        spiffe_id: spiffe_id(&names).map(Into::into),
    })
}

fn alternative_names<'a>(certificate: &'a X509Certificate<'a>) -> Vec<&'a GeneralName<'a>> {
    let names = certificate.subject_alternative_name().ok().flatten();
    names.map(|names| names.value.general_names.iter().collect()).unwrap_or_default()
}

/// Exactly one URI makes an X.509-SVID (SPIFFE X509-SVID, section 2).
fn spiffe_id<'a>(names: &[&GeneralName<'a>]) -> Option<&'a str> {
    let mut uris = names.iter().filter_map(|name| if let GeneralName::URI(uri) = name { Some(*uri) } else { None });
    let only = uris.next().filter(|_| uris.next().is_none())?;
    let is_plain = only.bytes().all(|byte| byte.is_ascii_graphic());
    (is_plain && only.starts_with("spiffe://")).then_some(only)
}

fn show(name: &&GeneralName<'_>) -> Option<String> {
    Some(match name {
        GeneralName::DNSName(name) => format!("DNS:{}", escape_name(name)),
        GeneralName::URI(uri) => format!("URI:{}", escape_name(uri)),
        GeneralName::RFC822Name(address) => format!("email:{}", escape_name(address)),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(|bytes| Ipv4Addr::from(bytes).to_string());
            let v6 = || <[u8; 16]>::try_from(*bytes).map(|bytes| Ipv6Addr::from(bytes).to_string());
            format!("IP:{}", v4.or_else(|_| v6()).ok()?)
        }
        _ => return None,
    })
}

/// Percent-encodes what separates names, and what is not printable.
fn escape_name(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_graphic() && byte != b',' {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// As RFC 4514, section 2 has it: the last part first.
fn subject(name: &X509Name<'_>) -> String {
    let parts: Vec<String> = name.iter().map(|part| part.iter().map(attribute).collect::<Vec<_>>().join("+")).collect();
    parts.into_iter().rev().collect::<Vec<_>>().join(",")
}

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    let kind = attribute.attr_type();
    let known = oid2abbrev(kind, oid_registry()).map(ToOwned::to_owned).unwrap_or_else(|_| kind.to_id_string());
    match attribute.as_str() {
        Ok(value) => format!("{known}={}", escape_value(value)),
        Err(_) => {
            let hex: String = attribute.as_slice().iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{known}=#{hex}")
        }
    }
}

/// RFC 4514, section 2.4.
fn escape_value(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (place, c) in value.chars().enumerate() {
        let special = matches!(c, '"' | '+' | ',' | ';' | '<' | '>' | '\\' | '=');
        if special || (c == ' ' && (place == 0 || place == last)) || (c == '#' && place == 0) {
            text.push('\\');
            text.push(c);
        } else if c.is_control() {
            let mut utf8 = [0; 4];
            for byte in c.encode_utf8(&mut utf8).bytes() {
                let _ = write!(text, "\\{byte:02x}");
            }
        } else {
            text.push(c);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_can_pass_for_two() {
        assert_eq!(escape_value("a,O=Admin"), "a\\,O\\=Admin");
        assert_eq!(escape_value(" #a "), "\\ #a\\ ");
        assert_eq!(escape_value("#a\n"), "\\#a\\0a");
        assert_eq!(escape_name("a, URI:spiffe://admin"), "a%2C%20URI:spiffe://admin");
    }

    #[test]
    fn one_uri_makes_a_spiffe_id() {
        let (id, other) = (GeneralName::URI("spiffe://example/a"), GeneralName::URI("https://a"));
        let dns = GeneralName::DNSName("a.example");
        assert_eq!(spiffe_id(&[&dns, &id]), Some("spiffe://example/a"));
        assert_eq!(spiffe_id(&[&id, &other]), None);
        assert_eq!(spiffe_id(&[&other]), None);
    }
}
