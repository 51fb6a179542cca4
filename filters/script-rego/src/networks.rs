//! Functions about addresses, which the engine has for other platforms only.

use std::net::IpAddr;

use regorus::{Engine, Value};

/// `net.cidr_contains(CIDR, ADDRESS or CIDR)`.
pub(crate) const CIDR_CONTAINS: &str = "net.cidr_contains";

pub(crate) fn add_to(engine: &mut Engine) -> Result<(), String> {
    let contains = |arguments: Vec<Value>| {
        let text = |value: &Value| value.as_string().ok().map(ToString::to_string);
        let answer = match arguments.as_slice() {
            [network, inner] => text(network).zip(text(inner)).and_then(|(network, inner)| contains(&network, &inner)),
            _ => None,
        };
        Ok(answer.map_or(Value::Undefined, Value::Bool))
    };
    engine.add_extension(CIDR_CONTAINS.to_owned(), 2, Box::new(contains)).map_err(|error| error.to_string())
}

fn contains(network: &str, inner: &str) -> Option<bool> {
    let (network, bits) = parse(network)?;
    let (inner, inner_bits) = parse(inner).or_else(|| Some((inner.parse().ok()?, length(inner.parse().ok()?))))?;
    let leading = |address: IpAddr| match address {
        IpAddr::V4(address) => u128::from(u32::from(address)).checked_shr(32 - bits),
        IpAddr::V6(address) => u128::from(address).checked_shr(128 - bits),
    };
    let same_kind = network.is_ipv4() == inner.is_ipv4();
    Some(same_kind && bits <= inner_bits && leading(network) == leading(inner))
}

fn parse(network: &str) -> Option<(IpAddr, u32)> {
    let (address, bits) = network.split_once('/')?;
    let (address, bits): (IpAddr, u32) = (address.parse().ok()?, bits.parse().ok()?);
    (bits <= length(address)).then_some((address, bits))
}

fn length(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

#[cfg(test)]
mod tests {
    use super::contains;

    #[test]
    fn a_network_contains_its_addresses_and_smaller_networks() {
        for (network, inner) in [
            ("10.0.0.0/8", "10.255.0.1"),
            ("10.0.0.0/8", "10.1.0.0/16"),
            ("0.0.0.0/0", "192.0.2.1"),
            ("192.0.2.1/32", "192.0.2.1"),
            ("2001:db8::/32", "2001:db8:1::1"),
            ("::/0", "::1"),
        ] {
            assert_eq!(contains(network, inner), Some(true), "{network} {inner}");
        }
        for (network, inner) in [("10.0.0.0/8", "11.0.0.1"), ("10.1.0.0/16", "10.0.0.0/8"), ("0.0.0.0/0", "::1")] {
            assert_eq!(contains(network, inner), Some(false), "{network} {inner}");
        }
        assert_eq!((contains("10.0.0.0/33", "10.0.0.1"), contains("10.0.0.0", "10.0.0.1")), (None, None));
        assert_eq!(contains("10.0.0.0/8", "ten"), None);
    }
}
