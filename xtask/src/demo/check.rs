//! `cargo xtask demo --check`: the tour, taken by a program that knows what should come out.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::client::{self, Answer};
use super::gateway::Gateway;
use super::policies::{BURST, CONSUMER, KEY, Policies};
use crate::process::say;

const RELOAD_LIMIT: Duration = Duration::from_secs(5);

pub(super) fn run(gateway: &Gateway, policies: &Policies) -> Result<()> {
    no_key_is_refused(gateway).context("a request without a key")?;
    a_key_is_let_through(gateway).context("a request with a key")?;
    a_burst_is_limited(gateway).context("a burst")?;
    policies_are_listed(gateway).context("the /policies page")?;
    an_edit_is_taken_over(gateway, policies).context("an edit of 20-rate-limit.toml")?;
    say("every answer was right");
    Ok(())
}

fn no_key_is_refused(gateway: &Gateway) -> Result<()> {
    expect(&client::get(gateway.listen, "/orders/7", &[])?, 401)
}

fn a_key_is_let_through(gateway: &Gateway) -> Result<()> {
    let answer = with_key(gateway)?;
    expect(&answer, 200)?;
    let echo: Value =
        serde_json::from_str(&answer.body).with_context(|| format!("not the upstream's echo: {answer:?}"))?;
    ensure!(echo["headers"]["x-consumer"] == CONSUMER, "the upstream did not see x-consumer: {echo:#}");
    ensure!(answer.header("x-gateway") == Some("tollgate"), "no x-gateway in {answer:?}");
    ensure!(answer.header("server").is_none(), "the server field was not removed: {answer:?}");
    Ok(())
}

fn a_burst_is_limited(gateway: &Gateway) -> Result<()> {
    let answers: Vec<_> = (0..2 * BURST).map(|_| with_key(gateway)).collect::<Result<_>>()?;
    let limited = answers.iter().find(|answer| answer.status == 429).context("none was answered with 429")?;
    ensure!(limited.header("retry-after").is_some(), "no retry-after in {limited:?}");
    Ok(())
}

fn policies_are_listed(gateway: &Gateway) -> Result<()> {
    let page = client::get(gateway.admin, "/policies", &[])?;
    expect(&page, 200)?;
    for name in ["api-key", "rate-limit", "headers"] {
        ensure!(page.body.contains(name), "no {name} in {}", page.body);
    }
    Ok(())
}

/// After the edit a whole burst goes through that the old limit would have cut off.
fn an_edit_is_taken_over(gateway: &Gateway, policies: &Policies) -> Result<()> {
    policies.allow_bursts_of(1000)?;
    let deadline = Instant::now() + RELOAD_LIMIT;
    while Instant::now() < deadline {
        let answers: Vec<_> = (0..2 * BURST).map(|_| with_key(gateway)).collect::<Result<_>>()?;
        if answers.iter().all(|answer| answer.status == 200) {
            return Ok(());
        }
        sleep(Duration::from_millis(50));
    }
    bail!("was not live after {} s", RELOAD_LIMIT.as_secs())
}

fn with_key(gateway: &Gateway) -> Result<Answer> {
    client::get(gateway.listen, "/orders/7", &[("x-api-key", KEY)])
}

fn expect(answer: &Answer, status: u16) -> Result<()> {
    ensure!(answer.status == status, "expected {status}, but the answer was {answer:?}");
    Ok(())
}
