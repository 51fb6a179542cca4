//! The arguments of `cargo xtask demo`, and ports that nobody else uses.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::{Context, Result, bail};

/// What to do, and where.
pub(super) struct Options {
    pub(super) check: bool,
    pub(super) listen: SocketAddr,
    pub(super) admin: SocketAddr,
}

impl Options {
    pub(super) fn parse(args: &[String]) -> Result<Self> {
        let (mut check, mut port, mut admin_port) = (false, None, None);
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let slot = match arg.as_str() {
                "--check" => {
                    check = true;
                    continue;
                }
                "--port" => &mut port,
                "--admin-port" => &mut admin_port,
                other => bail!("`demo` knows --port N, --admin-port N and --check, not `{other}`"),
            };
            let value = args.next().with_context(|| format!("`{arg}` needs a port"))?;
            *slot = Some(value.parse().with_context(|| format!("`{arg} {value}`: not a port"))?);
        }
        // A check runs beside whatever else the machine does: any free port will do.
        let usual = |port: u16| if check { 0 } else { port };
        Ok(Self {
            check,
            listen: free_address(port.unwrap_or(usual(8080)), "--port")?,
            admin: free_address(admin_port.unwrap_or(usual(9901)), "--admin-port")?,
        })
    }
}

/// The loopback address with this port, or for 0 with any that is free.
fn free_address(port: u16, flag: &str) -> Result<SocketAddr> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(listener) => Ok(listener.local_addr()?),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            bail!(
                "port {port} is taken by another program: choose one with `{flag} N`, or `{flag} 0` for any that is free"
            )
        }
        Err(error) => Err(error).with_context(|| format!("could not listen on port {port}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_names_its_flag() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port().to_string();
        let error = Options::parse(&["--port".to_owned(), port]).err().unwrap();
        assert!(error.to_string().contains("choose one with `--port N`"), "{error}");
    }

    #[test]
    fn a_check_takes_free_ports() {
        let options = Options::parse(&["--check".to_owned()]).unwrap();
        assert!(options.check && options.listen.port() != 8080);
    }
}
