//! Catalogues, with routes and a policy that a team has written: a configuration in which the team has what it may have, or problems
//! that say where they are.

use std::path::Path;

use tollgate::config::{Overrides, Source, load};

use super::configuration::{check, write};

const CONFIG: &str = "catalogue = \"catalogue.toml\"\npolicies-dir = \"policies\"\n[[listeners]]\naddress = \"127.0.0.1:0\"\n\
    [upstreams.a]\nendpoints = [\"a:1\"]\n[upstreams.b]\nendpoints = [\"b:1\"]\n[secrets.s]\nenv = \"S\"\n[stores.m]\n";

/// The three texts, with a byte 0xFF between them.
pub fn run(data: &[u8]) {
    let mut texts = data.split(|byte| *byte == 0xff);
    let mut next = || texts.next().unwrap_or_default();
    write("catalogue.toml", next());
    write("policies/t/t.routes.toml", next());
    write("policies/t/t-p.toml", next());
    let file = write("tollgate.toml", CONFIG.as_bytes());
    match load(&Source::File(file), &Overrides::default(), &["api-key"]) {
        Err(problems) => check(&problems),
        Ok(config) => {
            let Some(catalogue) = &config.catalogue else { panic!("the catalogue is lost") };
            let team = catalogue.team("t");
            for route in &config.routes {
                let area = team.and_then(|team| team.area.as_ref());
                assert!(route.team.as_deref() == Some("t") && area.is_some(), "{route:?} is nobody's");
            }
            for entry in config
                .policies
                .iter()
                .filter(|entry| entry.origin.parent().is_some_and(|it| it.ends_with(Path::new("t"))))
            {
                assert!(
                    entry.policy.is_err() || team.is_some_and(|team| team.owns(&entry.name)),
                    "{entry:?} is nobody's"
                );
            }
        }
    }
}

/// Catalogues with many keys, with what they allow and what they do not.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    const TEAM: &str = "[teams.t]\nroutes = { hosts = [\"t.test\", \"*.t.test\"], paths = [\"/t/*\", \"/x\"] }\nupstreams = [\"a*\"]\n\
        grants = { secrets = [\"s\"], read = [\"x-*\"], store = [{ name = \"m\", access = \"read\" }], clock = true }\n\
        quota = { policies = 2, routes = 1, memory = \"64MiB\", cpu = \"2ms\" }\n[filters.api-key]\nowner = \"t\"\nvisibility = \"owner\"\n";
    const ROUTE: &str =
        "[[routes]]\nhosts = [\"a.t.test\"]\npath = { prefix = \"/t\" }\npolicies = [\"t-p\"]\nupstream = \"a\"\n";
    const POLICY: &str =
        "filter = \"api-key\"\ngrants = { secrets = [\"s\"], read = [\"x-a\"] }\nlimits = { cpu = \"1ms\" }\n";
    let joined = |texts: [&str; 3]| texts.map(str::as_bytes).join(&0xff);
    vec![
        joined([TEAM, ROUTE, POLICY]),
        joined([TEAM, &ROUTE.replace("/t", "/"), &POLICY.replace("\"s\"", "\"r\"")]),
        joined([
            "[teams.t]\npolicies = [\"t-p\"]\nrequire = [\"t-p\"]\nroutes = { paths = [\"/*\"] }\nupstreams = [\"*\"]\n",
            ROUTE,
            POLICY,
        ]),
        joined([
            "[teams.u]\n[teams.t]\npolicies = [\"u*\"]\ncaptures = \"c\"\n",
            "",
            "capture = { directory = \"../../c/d\" }\n",
        ]),
    ]
}
