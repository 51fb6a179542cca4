//! Tollgate: an HTTP gateway whose policies are sandboxed WebAssembly filters.
//!
//! The modules in the order of a request's way:
//!
//! - the assembler: [`gateway`]
//! - the path: [`worker`] → [`listener`] → [`connection`] → [`exchange`] → [`chain`], [`callout`] → [`upstream`]
//!   and beside it, what filters do for no exchange: [`tick`]
//! - the ground it stands on: [`message`], [`framing`], [`wire`], [`route`], [`manifest`], [`sandbox`]
//! - control: [`config`] → [`snapshot`] → [`reload`], [`deploy`], [`handover`], and [`admin`], [`telemetry`], [`bundled`]
//!
//! A request takes one immutable [`snapshot::Snapshot`] at its start and keeps it to its end; a reload only swaps a pointer.
//! Whatever reads bytes of others is public, so that the fuzz targets reach it.
//! ARCHITECTURE.md has the table of who may use whom; a test holds the code to it.

pub mod gateway;

pub mod callout;
pub mod chain;
pub mod connection;
pub mod exchange;
pub mod listener;
pub mod tick;
pub mod upstream;
pub mod worker;

pub mod framing;
pub mod manifest;
pub mod message;
pub mod oci;
pub mod route;
pub mod sandbox;
pub mod store;
pub mod wire;

pub mod admin;
pub mod bundled;
pub mod capture;
pub mod config;
pub mod deploy;
pub mod handover;
pub mod pull;
pub mod reload;
pub mod snapshot;
pub mod telemetry;

pub mod cli;
pub mod filter_test;
pub mod inspect;

pub use gateway::{Gateway, StartError};
