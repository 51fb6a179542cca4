//! Wants to open a connection, which filters are not given.

use std::net::TcpStream;

use tollgate_filter::prelude::*;

#[derive(Deserialize)]
struct WantsSockets {}

#[filter]
impl Filter for WantsSockets {
    fn on_request(&self, request: &mut Request<'_>) -> Outcome {
        let stream = TcpStream::connect("192.0.2.1:80")?;
        request.set("x-connected-to", stream.peer_addr()?.to_string());
        Ok(Next::Forward)
    }
}
