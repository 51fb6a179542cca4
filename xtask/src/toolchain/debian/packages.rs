//! The packages that the guest toolchain is made from, pinned.
//!
//! For another compiler add its `rust-src`: the source must match exactly. `apt-cache show rust-src` gives the fields.

use anyhow::{Context, Result};

use crate::toolchain::compiler::Compiler;

/// The suite that holds the packages below.
pub(super) const SUITE: &str = "trixie-backports";

/// A package in the pool of a Debian mirror.
pub(super) struct Package {
    pub(super) name: &'static str,
    version: &'static str,
    pool: &'static str,
    pub(super) sha256: &'static str,
    pub(super) megabytes: u32,
}

/// The C library of wasm32-wasip2.
pub(super) const WASI_LIBC: Package = Package {
    name: "wasi-libc",
    version: "0.0~git20251114.ac020b8-2~bpo13+1",
    pool: "pool/main/w/wasi-libc",
    sha256: "90ea24c799d22c91b2f03456febfedd8d9c1ecb80cdbbddaac89c1585b29e66e",
    megabytes: 1,
};

/// The source of the standard library with its dependencies: the compiler's release and the package.
static RUST_SRC: [(&str, Package); 1] = [(
    "1.95.0",
    Package {
        name: "rust-src",
        version: "1.95.0+dfsg1-2~bpo13+1",
        pool: "pool/main/r/rustc",
        sha256: "7b76db5b880a77f9e52975d2baa6209d2f76d2c9c2789515c3088cb960e2c83b",
        megabytes: 45,
    },
)];

/// The source that fits the compiler.
pub(super) fn rust_src(compiler: &Compiler) -> Result<&'static Package> {
    let known = RUST_SRC.iter().find(|(release, _)| *release == compiler.release);
    known.map(|(_, package)| package).with_context(|| {
        let releases: Vec<_> = RUST_SRC.iter().map(|(release, _)| *release).collect();
        format!("no source is pinned for rustc {}, only for {}", compiler.release, releases.join(", "))
    })
}

/// The newest release that a source is pinned for.
pub(super) fn newest_release() -> &'static str {
    RUST_SRC[RUST_SRC.len() - 1].0
}

/// The source of that release.
pub(super) fn newest_rust_src() -> &'static Package {
    &RUST_SRC[RUST_SRC.len() - 1].1
}

impl Package {
    /// The name that the file has on every mirror.
    pub(super) fn file_name(&self) -> String {
        format!("{}_{}_all.deb", self.name, self.version)
    }

    /// Its address on the mirror at `base`.
    pub(super) fn url(&self, base: &str) -> String {
        format!("{}/{}/{}", base.trim_end_matches('/'), self.pool, self.file_name())
    }
}
