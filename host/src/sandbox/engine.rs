//! The one wasmtime engine of the process, and the thread that drives its epochs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use wasmtime::component::Linker;
use wasmtime::{Config, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, WasmBacktraceDetails};

use super::instance::HostState;
use super::{core, host_imports};
use crate::telemetry::lane;

/// How often the epoch advances while a hook runs: the resolution of CPU deadlines.
pub(super) const TICK: Duration = Duration::from_millis(1);

/// The largest linear memory that any policy can be given, in bytes.
pub const MAX_MEMORY: usize = 1 << 30;

/// How many instances can exist at once. Each reserves address space, not memory, and six mappings of the kernel's
/// 65,530; an instantiation beyond it fails as a fault of that policy.
const MAX_INSTANCES: u32 = 2_000;

/// Compiles and runs filters. Cheap to clone.
#[derive(Clone)]
pub struct Sandbox {
    pub(super) engine: Engine,
    pub(super) linker: Arc<Linker<HostState>>,
    /// For policies whose state is on a server.
    pub(super) far_linker: Arc<Linker<HostState>>,
    pub(super) core_linker: Arc<wasmtime::Linker<HostState>>,
    pub(super) clock: Arc<EpochClock>,
    living: Arc<AtomicU64>,
    _ticker: Arc<Ticker>,
}

impl Sandbox {
    /// Sets up the engine.
    ///
    /// # Errors
    /// If the address space for the instance pool cannot be reserved, or the CPU is not supported.
    pub fn new() -> wasmtime::Result<Self> {
        let engine = Engine::new(&config())?;
        let mut linker = Linker::new(&engine);
        host_imports::link(&mut linker)?;
        let mut far_linker = linker.clone();
        host_imports::far::link(&mut far_linker)?;
        let mut core_linker = wasmtime::Linker::new(&engine);
        core::link(&mut core_linker)?;
        let clock = Arc::new(EpochClock::default());
        let ticker = Ticker::start(engine.clone(), Arc::clone(&clock))?;
        Ok(Self {
            engine,
            linker: Arc::new(linker),
            far_linker: Arc::new(far_linker),
            core_linker: Arc::new(core_linker),
            clock,
            living: Arc::default(),
            _ticker: Arc::new(ticker),
        })
    }
}

impl Sandbox {
    /// How many instances of filters there are, whoever has them. The engine's own count is of core modules, of which a
    /// component consists of several.
    #[must_use]
    pub fn instances(&self) -> u64 {
        self.living.load(Ordering::Relaxed)
    }

    /// Counts an instance until it is dropped.
    pub(super) fn count(&self) -> Counted {
        self.living.fetch_add(1, Ordering::Relaxed);
        Counted(Arc::clone(&self.living))
    }
}

/// Held by an instance.
pub(super) struct Counted(Arc<AtomicU64>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn config() -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(MAX_INSTANCES)
        // Only counted. A component with an interpreter in it consists of some forty.
        .total_core_instances(MAX_INSTANCES * 16)
        .total_memories(MAX_INSTANCES)
        .total_tables(MAX_INSTANCES * 2)
        // A call that waits keeps its instance, so there are never more.
        .total_stacks(MAX_INSTANCES)
        .max_memories_per_component(4)
        .max_core_instances_per_component(64)
        .max_tables_per_component(16)
        .max_memory_size(MAX_MEMORY)
        .table_elements(50_000)
        // Resetting by memset rather than madvise: no TLB shoot-downs between workers.
        .linear_memory_keep_resident(256 << 10)
        .table_keep_resident(16 << 10);

    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .concurrency_support(false)
        .epoch_interruption(true)
        // What says where code comes from is read when a module is loaded (`lines.rs`), not at each fault.
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .cranelift_opt_level(OptLevel::Speed)
        .max_wasm_stack(512 << 10)
        // Of a call that may wait: as much for the host below it.
        .async_stack_size(1 << 20)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

/// Tells the ticker whether hooks run, so that an idle gateway sleeps.
#[derive(Default)]
pub(super) struct EpochClock {
    /// Counts hooks that have begun. A ticker that sees no change goes to sleep.
    entered: [Padded; 8],
    asleep: AtomicBool,
    ticker: std::sync::OnceLock<std::thread::Thread>,
}

/// A counter on its own cache line, so that workers do not share one.
#[derive(Default)]
#[repr(align(128))]
struct Padded {
    entered: AtomicU64,
    left: AtomicU64,
}

impl EpochClock {
    /// Notes that a hook begins on this thread; the guard notes its end.
    pub(super) fn enter(&self) -> Entered<'_> {
        let lane = &self.entered[lane() % self.entered.len()];
        // SeqCst pairs with the ticker's store to `asleep`: either it sees this hook, or this sees it asleep.
        lane.entered.fetch_add(1, Ordering::SeqCst);
        if self.asleep.load(Ordering::SeqCst)
            && let Some(ticker) = self.ticker.get()
        {
            ticker.unpark();
        }
        Entered(lane)
    }

    fn state(&self) -> (u64, bool) {
        let mut begun = 0u64;
        let mut running = false;
        for lane in &self.entered {
            let left = lane.left.load(Ordering::SeqCst);
            let entered = lane.entered.load(Ordering::SeqCst);
            begun = begun.wrapping_add(entered);
            running |= entered != left;
        }
        (begun, running)
    }
}

/// Held while a hook runs.
pub(super) struct Entered<'a>(&'a Padded);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.left.fetch_add(1, Ordering::Release);
    }
}

/// The thread that advances the epoch. Stops when dropped.
struct Ticker {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    fn start(engine: Engine, clock: Arc<EpochClock>) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let thread = {
            let (stop, clock) = (Arc::clone(&stop), Arc::clone(&clock));
            std::thread::Builder::new().name("epochs".into()).spawn(move || tick(&engine, &clock, &stop))?
        };
        // The worker that finds the ticker asleep must know whom to wake.
        let _ = clock.ticker.set(thread.thread().clone());
        Ok(Self { stop, thread: Some(thread) })
    }
}

fn tick(engine: &Engine, clock: &EpochClock, stop: &AtomicBool) {
    let mut seen = u64::MAX;
    let mut quiet = 0u32;
    while !stop.load(Ordering::Acquire) {
        std::thread::park_timeout(TICK);
        engine.increment_epoch();
        let (begun, running) = clock.state();
        quiet = if running || begun != seen { 0 } else { quiet + 1 };
        seen = begun;
        if quiet > 20 {
            clock.asleep.store(true, Ordering::SeqCst);
            let (begun, running) = clock.state();
            if begun == seen && !running && !stop.load(Ordering::Acquire) {
                std::thread::park();
            }
            clock.asleep.store(false, Ordering::SeqCst);
            quiet = 0;
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}
