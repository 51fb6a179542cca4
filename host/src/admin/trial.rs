//! How the trial of a policy's new version goes, for the page of policies.

use serde_json::{Value, json};

use crate::config::TrialMode;
use crate::snapshot::Course;
use crate::telemetry::{Counted, Difference, FaultClass};

pub(super) fn shown(course: &Course) -> Value {
    let share = f64::from(course.share()) / 1_000.0;
    let mut shown = json!({
        "candidate": course.candidate,
        "stable": course.stable,
        "share": share,
        "seconds": course.began.elapsed().as_secs(),
        "figures": {
            "candidate": figures(&course.candidate_figures.count()),
            "stable": figures(&course.stable_figures.count()),
        },
    });
    match &course.settings.mode {
        TrialMode::Immediate(watch) => {
            shown["mode"] = "immediate".into();
            shown["watch-seconds"] = watch.as_secs_f64().into();
        }
        TrialMode::Shadow(_) => shown["mode"] = "shadow".into(),
        TrialMode::Canary(canary) => {
            shown["mode"] = "canary".into();
            shown["step"] = (course.step() + 1).into();
            shown["steps"] = canary.steps.iter().map(|step| f64::from(step.thousandths()) / 1_000.0).collect();
        }
    }
    if let Some(differences) = &course.differences {
        let counts = Difference::ALL.map(|way| (way.label().to_owned(), Value::from(differences.of(way))));
        let samples = differences.samples().into_iter().map(|it| json!({ "path": it.path, "what": it.what }));
        shown["differences"] = json!({
            "same": differences.same(),
            "counts": Value::Object(counts.into_iter().collect()),
            "samples": samples.collect::<Vec<_>>(),
        });
    }
    shown
}

fn figures(counted: &Counted) -> Value {
    let micros = |time: std::time::Duration| (time.as_secs_f64() * 1e7).round() / 10.0;
    let measured = counted.measured() > 0;
    json!({
        "exchanges": counted.exchanges,
        "faults": counted.faults(|_| true),
        "deadlines": counted.faults(|class| class == FaultClass::Deadline),
        "replies": {
            "2xx": counted.replies(2),
            "3xx": counted.replies(3),
            "4xx": counted.replies(4),
            "5xx": counted.replies(5),
        },
        "cpu-mean-us": measured.then(|| micros(counted.mean())),
        "cpu-p99-us": measured.then(|| micros(counted.p99())),
    })
}
