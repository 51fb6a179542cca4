//! nginx from the Debian package, as a second opinion on what a request is.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::files::Folder;
use crate::gate::eventually;

/// A running nginx that passes everything on. Stops when dropped.
pub struct Nginx {
    socket: PathBuf,
    process: Child,
    _folder: Folder,
}

impl Nginx {
    /// Starts nginx before the given upstream. It listens on a socket in the file system, as it cannot choose a port.
    #[must_use]
    #[track_caller]
    pub fn before(upstream: SocketAddr) -> Self {
        let folder = Folder::new();
        let place = folder.path().display().to_string();
        let config =
            folder.write("nginx.conf", CONFIG.replace("{folder}", &place).replace("{upstream}", &upstream.to_string()));
        let process = Command::new(program())
            .args(["-e", "stderr", "-p", &place, "-c"])
            .arg(config)
            .stdin(Stdio::null())
            .stderr(fs::File::create(folder.path().join("errors")).expect("the folder can be written to"))
            .spawn()
            .unwrap_or_else(|error| panic!("nginx does not start: {error}; install the package nginx-light"));
        let socket = folder.path().join("nginx.sock");
        eventually("nginx listens", || UnixStream::connect(&socket).is_ok());
        Self { socket, process, _folder: folder }
    }

    /// The statuses that these bytes are answered with, up to `most`; fewer if the connection closes or nothing comes.
    #[must_use]
    pub fn statuses(&self, bytes: &[u8], most: usize) -> Vec<u16> {
        let mut stream = UnixStream::connect(&self.socket).expect("nginx listens");
        stream.set_read_timeout(Some(Duration::from_secs(3))).expect("it is not zero");
        let _ = stream.write_all(bytes);
        let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
        loop {
            let statuses = statuses(&answer);
            if statuses.len() >= most {
                return statuses;
            }
            match stream.read(&mut piece) {
                Ok(0) => return statuses,
                Ok(count) => answer.extend_from_slice(&piece[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return statuses,
            }
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Debian keeps it where only root looks for programs.
fn program() -> &'static str {
    if Path::new("/usr/sbin/nginx").exists() { "/usr/sbin/nginx" } else { "nginx" }
}

/// Of final responses: nothing else that nginx or the upstream sends begins like that.
fn statuses(answer: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(answer);
    let status = |(start, _): (usize, &str)| text.get(start + 9..start + 12).and_then(|status| status.parse().ok());
    text.match_indices("HTTP/1.1 ").filter_map(status).filter(|status| *status >= 200).collect()
}

const CONFIG: &str = r#"
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr crit;
events {}
http {
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_header_timeout 1s;
    client_body_timeout 1s;
    lingering_timeout 1s;
    server {
        listen unix:{folder}/nginx.sock;
        location / {
            proxy_http_version 1.1;
            proxy_set_header Host a.test;
            proxy_pass http://{upstream};
        }
    }
}
"#;
