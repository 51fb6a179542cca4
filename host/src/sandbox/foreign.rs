//! Modules that are made for other programs, known by what they import and export.

use wasmparser::{Parser, Payload};

/// What a module was made for, and what its author can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Foreign {
    pub(super) what: &'static str,
    pub(super) remedy: &'static str,
}

/// Begin of a name that gives one away: of an import's module, of an import without a module of its own, or of an export.
enum Sign {
    Module(&'static str),
    Import(&'static str),
    Export(&'static str),
}

use Sign::{Export, Import, Module};

const KNOWN: [(&[Sign], Foreign); 8] = [
    (
        &[Import("proxy_"), Export("proxy_abi_version_"), Export("proxy_on_")],
        Foreign {
            what: "proxy-wasm (Envoy, Istio, Kong, APISIX, OpenResty)",
            remedy: "write its logic as a filter: `proxy_on_request_headers` is `on-request-head`, `proxy_on_request_body` \
                     `on-request-body`, `proxy_on_response_headers` `on-response-head`, `proxy_dispatch_http_call` `callout`",
        },
    ),
    (
        &[Module("http_handler")],
        Foreign {
            what: "http-wasm (Traefik, Dapr)",
            remedy: "write its logic as a filter: `handle_request` is `on-request-head`, `handle_response` `on-response-head`",
        },
    ),
    (
        &[Export("wasi:http/")],
        Foreign {
            what: "wasi:http, which is a whole HTTP service (Spin, wasmCloud, `wasmtime serve`)",
            remedy: "let `wasmtime serve` run it as an upstream, or write its logic as a filter",
        },
    ),
    (
        &[Module("fastly_"), Module("fastly:")],
        Foreign { what: "Fastly Compute", remedy: "write its logic as a filter" },
    ),
    (&[Module("extism:")], Foreign { what: "Extism", remedy: "write its logic as a filter" }),
    (&[Module("wapc")], Foreign { what: "waPC", remedy: "write its logic as a filter" }),
    (
        &[Import("opa_"), Export("opa_")],
        Foreign { what: "Open Policy Agent", remedy: "ask OPA's server by a callout, as examples/callout-auth does" },
    ),
    (
        &[Export("_start")],
        Foreign {
            what: "a command line (it exports `_start`)",
            remedy: "build it as a library: without `main`, and with the guest SDK of its language",
        },
    ),
];

/// What a core module was made for.
pub(super) fn module(bytes: &[u8]) -> Option<Foreign> {
    let (mut modules, mut imports, mut exports) = (Vec::new(), Vec::new(), Vec::new());
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.ok()? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import.ok()?;
                    modules.push(import.module);
                    imports.push(import.name);
                }
            }
            Payload::ExportSection(section) => exports.extend(section.into_iter().flatten().map(|export| export.name)),
            _ => {}
        }
    }
    recognize(&modules, &imports, &exports)
}

/// What a component was made for, by its imports and exports.
pub(super) fn component(imports: &[&str], exports: &[&str]) -> Option<Foreign> {
    recognize(imports, &[], exports)
}

fn recognize(modules: &[&str], imports: &[&str], exports: &[&str]) -> Option<Foreign> {
    let any = |names: &[&str], begin: &str| names.iter().any(|name| name.starts_with(begin));
    let shows = |sign: &Sign| match sign {
        Module(begin) => any(modules, begin),
        Import(begin) => any(imports, begin),
        Export(begin) => any(exports, begin),
    };
    KNOWN.iter().find(|(signs, _)| signs.iter().any(shows)).map(|(_, foreign)| *foreign)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn what(text: &str) -> Option<&'static str> {
        module(&wat::parse_str(text).unwrap()).map(|foreign| foreign.what.split(' ').next().unwrap_or_default())
    }

    #[test]
    fn others_are_known_by_their_imports_and_exports() {
        let proxy = r#"(module (import "env" "proxy_log" (func (param i32 i32 i32) (result i32))))"#;
        assert_eq!(what(proxy), Some("proxy-wasm"));
        assert_eq!(what(r#"(module (func (export "proxy_abi_version_0_2_1")))"#), Some("proxy-wasm"));
        assert_eq!(what(r#"(module (import "http_handler" "get_config" (func)))"#), Some("http-wasm"));
        assert_eq!(what(r#"(module (func (export "opa_eval")))"#), Some("Open"));
        assert_eq!(what(r#"(module (func (export "_start")))"#), Some("a"));
        assert_eq!(what(r#"(module (func (export "run")))"#), None);
        let service = component(&["wasi:io/streams@0.2.0"], &["wasi:http/incoming-handler@0.2.0"]).unwrap();
        assert!(service.what.starts_with("wasi:http"));
    }
}
