//! Micromegas, with the buffers that its telemetry sink has and a sink that throws the blocks away.

use std::{collections::HashMap, fmt, hint::black_box, sync::Arc};

use micromegas_tracing::{
    dispatch::init_thread_stream,
    event::EventSink,
    guards::init_telemetry,
    imetric, info,
    levels::{set_max_level, LevelFilter},
    logs::{LogBlock, LogMetadata, LogStream},
    metrics::{MetricsBlock, MetricsStream},
    process_info::ProcessInfo,
    property_set::DynProperty,
    span_scope,
    spans::{ThreadBlock, ThreadStream},
};

const BUFFER: usize = 10 * 1024 * 1024;

/// Wants everything, keeps nothing: a block's memory goes back where it was filled.
struct Nowhere;

impl EventSink for Nowhere {
    fn on_startup(&self, _: Arc<ProcessInfo>) {}
    fn on_shutdown(&self) {}
    fn on_log_enabled(&self, _: &LogMetadata) -> bool {
        true
    }
    fn on_log(&self, _: &LogMetadata, _: &[DynProperty<'_>], _: i64, _: fmt::Arguments<'_>) {}
    fn on_init_log_stream(&self, _: &LogStream) {}
    fn on_process_log_block(&self, _: Arc<LogBlock>) {}
    fn on_init_metrics_stream(&self, _: &MetricsStream) {}
    fn on_process_metrics_block(&self, _: Arc<MetricsBlock>) {}
    fn on_init_thread_stream(&self, _: &ThreadStream) {}
    fn on_process_thread_block(&self, _: Arc<ThreadBlock>) {}
    fn is_busy(&self) -> bool {
        false
    }
}

/// 1: telemetry runs.
#[no_mangle]
pub extern "C" fn micromegas_start() -> i32 {
    set_max_level(LevelFilter::Trace);
    init_telemetry(
        BUFFER,
        BUFFER,
        BUFFER,
        Arc::new(Nowhere),
        HashMap::new(),
        true,
    )
    .is_ok()
    .into()
}

#[no_mangle]
pub extern "C" fn micromegas_spans(n: u32) {
    init_thread_stream(); // once per thread; without it a thread's spans are thrown away
    for _ in 0..n {
        span_scope!("span");
    }
}

#[no_mangle]
pub extern "C" fn micromegas_logs_two_ints(n: u32) {
    for _ in 0..n {
        info!("{} of {}", black_box(42), 7);
    }
}

#[no_mangle]
pub extern "C" fn micromegas_logs_text(n: u32) {
    for _ in 0..n {
        info!("{}", black_box("short text"));
    }
}

#[no_mangle]
pub extern "C" fn micromegas_metrics(n: u32) {
    for _ in 0..n {
        imetric!("int", "1", black_box(42));
    }
}
