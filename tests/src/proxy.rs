//! A forward proxy from the Debian package `tinyproxy`, which wants a name and a password.

use std::fs;

use crate::files::Folder;
use crate::server::Server;

/// A running proxy. Killed when dropped.
pub struct ForwardProxy {
    server: Server,
    folder: Folder,
}

impl ForwardProxy {
    /// Starts it on a port that is free.
    #[must_use]
    #[track_caller]
    pub fn start() -> Self {
        let folder = Folder::new();
        let server = Server::start("tinyproxy", |address| {
            let place = folder.path().display();
            let config = format!(
                "Port {}\nListen {}\nTimeout 60\nMaxClients 50\nBasicAuth story s3cret\nLogFile \"{place}/log\"\nLogLevel Info\n",
                address.port(),
                address.ip()
            );
            folder.write("tinyproxy.conf", config);
            vec!["-d".to_owned(), "-c".to_owned(), format!("{place}/tinyproxy.conf")]
        });
        Self { server, folder }
    }

    /// Its address, for somebody: `story:s3cret@`, or nobody.
    #[must_use]
    pub fn url(&self, who: &str) -> String {
        format!("http://{who}{}", self.server.address())
    }

    /// The first lines of the requests that it was asked for.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let request =
            |line: &str| Some(line.split_once("Request (file descriptor ")?.1.split_once("): ")?.1.to_owned());
        log.lines().filter_map(request).collect()
    }
}
