//! What is measured: the requests of each scenario and the answer that every peer must give.

use anyhow::bail;

use super::peers::Peer;

/// The key that every request of the chain carries. It is known to the world, as it opens nothing.
pub(super) const KEY: &str = "bench-key-of-alice";

/// SHA-256 of [`KEY`], as the gateway's configuration wants it.
pub(super) const KEY_SHA256: &str = "acb5d01ce4556dd5562a8fa491ab140990a5b1a662995418c759a1f6eefdd6c1";

/// A kind of work that all peers are given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scenario {
    /// A plain proxy, 1 KiB.
    Plain1k,
    /// A plain proxy, 100 KiB.
    Body100k,
    /// API key, rate limit per consumer, a header each way; 1 KiB.
    Chain,
    /// The same; the gateway gives each exchange sandboxes of its own.
    ChainExchange,
    /// HTTP/1.1 over TLS, 1 KiB; in clear to the upstream.
    Tls1k,
    /// HTTP/2 over TLS, 1 KiB; HTTP/1.1 in clear to the upstream.
    H2,
    /// 1,000 routes by host and path, of which the requests take one in the middle; 1 KiB.
    Routes1000,
}

impl Scenario {
    /// All of them, in the order of the report.
    pub(super) const ALL: [Self; 7] =
        [Self::Plain1k, Self::Body100k, Self::Chain, Self::ChainExchange, Self::Tls1k, Self::H2, Self::Routes1000];

    /// The scenario of that name.
    pub(super) fn parse(name: &str) -> anyhow::Result<Self> {
        match Self::ALL.into_iter().find(|scenario| scenario.name() == name) {
            Some(scenario) => Ok(scenario),
            None => bail!("no scenario `{name}`; there are {}", Self::ALL.map(Self::name).join(", ")),
        }
    }

    /// Its name on the command line and in the report.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Plain1k => "plain-1k",
            Self::Body100k => "body-100k",
            Self::Chain => "chain",
            Self::ChainExchange => "chain-exchange",
            Self::Tls1k => "tls-1k",
            Self::H2 => "h2-1k",
            Self::Routes1000 => "routes-1000",
        }
    }

    /// What is asked for.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Plain1k | Self::Chain | Self::ChainExchange | Self::Tls1k | Self::H2 => "/1k",
            Self::Body100k => "/100k",
            Self::Routes1000 => "/service-5/1k",
        }
    }

    /// Where the upstream tells what reached it.
    pub(super) fn inspection(self) -> &'static str {
        match self {
            Self::Routes1000 => "/service-5/inspect",
            _ => "/inspect",
        }
    }

    /// The length of the answer's body.
    pub(super) fn body_length(self) -> usize {
        match self {
            Self::Body100k => 100 * 1024,
            _ => 1024,
        }
    }

    /// How clients connect.
    pub(super) fn downstream(self) -> Downstream {
        match self {
            Self::Tls1k => Downstream::Tls,
            Self::H2 => Downstream::H2,
            _ => Downstream::Clear,
        }
    }

    /// Whether there are an API key, a rate limit and headers.
    pub(super) fn is_chain(self) -> bool {
        matches!(self, Self::Chain | Self::ChainExchange)
    }

    /// The fields that each request carries; without a `host` among them it is the address.
    pub(super) fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Chain | Self::ChainExchange => &[("x-api-key", KEY)],
            Self::Routes1000 => &[("host", "host-50.test")],
            _ => &[],
        }
    }

    /// The gateway's goals.
    pub(super) fn goals(self) -> &'static [Goal] {
        match self {
            Self::Plain1k => &[Goal { to: Peer::Nginx, ratio: 1.0 }],
            Self::Body100k | Self::Tls1k | Self::H2 => &[Goal { to: Peer::Nginx, ratio: 1.05 }],
            Self::Chain => &[Goal { to: Peer::Nginx, ratio: 1.3 }],
            Self::ChainExchange => &[Goal { to: Peer::Nginx, ratio: 2.5 }],
            Self::Routes1000 => &[Goal { to: Peer::TollgateOneRoute, ratio: 1.03 }],
        }
    }
}

/// How clients connect to a peer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Downstream {
    /// HTTP/1.1.
    Clear,
    /// HTTP/1.1 over TLS.
    Tls,
    /// HTTP/2 over TLS.
    H2,
}

impl Downstream {
    /// The scheme of its URLs.
    pub(super) fn scheme(self) -> &'static str {
        match self {
            Self::Clear => "http",
            Self::Tls | Self::H2 => "https",
        }
    }

    /// Whether there is TLS.
    pub(super) fn is_tls(self) -> bool {
        self != Self::Clear
    }
}

/// At most so many times what another peer takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Goal {
    pub(super) to: Peer,
    pub(super) ratio: f64,
}

/// The routes of [`Scenario::Routes1000`]: hosts, and the path prefixes of each.
pub(super) fn hosts_and_prefixes() -> impl Iterator<Item = (String, [String; 10])> {
    (0..100).map(|host| (format!("host-{host}.test"), std::array::from_fn(|prefix| format!("/service-{prefix}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_requests_take_one_of_a_thousand_routes() {
        let routes: Vec<(String, String)> =
            hosts_and_prefixes().flat_map(|(host, prefixes)| prefixes.map(|prefix| (host.clone(), prefix))).collect();
        assert_eq!(routes.len(), 1000);
        let [(_, host)] = Scenario::Routes1000.headers() else { panic!("one field") };
        let taken = |(name, prefix): &(String, String)| {
            name == host && Scenario::Routes1000.path().starts_with(&format!("{prefix}/"))
        };
        assert_eq!(routes.iter().filter(|route| taken(route)).count(), 1);
        assert!(routes.iter().position(taken).is_some_and(|at| (400..600).contains(&at)));
    }
}
