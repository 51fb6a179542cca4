//! What the filter logs, and its faults, as they happen.

use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use super::paint::{Kind, Paint};
use crate::cli::ask::{Door, encoded};

/// How long it takes until a gateway is asked again that has gone.
const AGAIN: Duration = Duration::from_millis(500);

/// Shows them from now on, on a thread of its own, for as long as the program runs. When it returns, nothing is missed any more,
/// unless the gateway cannot be asked.
pub(super) fn start(door: Door, policy: String, paint: Paint) {
    let (ready, is_ready) = std::sync::mpsc::channel();
    let follow = move || {
        let path = format!("/events?policy={}", encoded(&policy));
        let mut said = false;
        loop {
            match door.lines(&path) {
                Ok(lines) => {
                    said = false;
                    for line in lines.map_while(Result::ok) {
                        // The first line comes when the gateway listens to the filter for us.
                        let _ = ready.send(());
                        if let Ok(event) = serde_json::from_str::<Value>(&line) {
                            show(&event, paint);
                        }
                    }
                }
                Err(error) if !said => {
                    let _ = ready.send(());
                    said = true;
                    paint.line(Kind::Gateway, &format!("no log and no faults for now: {}", door.unreachable(&error)));
                }
                Err(_) => {}
            }
            sleep(AGAIN);
        }
    };
    if std::thread::Builder::new().name("tail".into()).spawn(follow).is_ok() {
        let _ = is_ready.recv();
    }
}

fn show(event: &Value, paint: Paint) {
    let text = |key: &str| event[key].as_str().unwrap_or_default();
    match text("event") {
        "log" => {
            let attributes = event["attributes"].as_object().map(|_| format!(" {}", event["attributes"]));
            paint
                .line(Kind::of_level(text("level")), &format!("{}{}", text("message"), attributes.unwrap_or_default()));
        }
        "fault" => {
            let frames = event["backtrace"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let frames: String = frames.map(|frame| format!("\n  in {frame}")).collect();
            let hook = event["hook"].as_str().map(|hook| format!(" in {hook}")).unwrap_or_default();
            paint.line(Kind::Fault, &format!("{}{hook}: {}{frames}", text("class"), text("message")));
        }
        "lost" => paint.line(Kind::Gateway, &format!("{} lines were too many to be shown", event["lines"])),
        _ => {}
    }
}
