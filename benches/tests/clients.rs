//! Clients that come and go leave nothing behind. `maxq-bench clients` does the same with 10,000.

use std::process::Command;

use maxq_bench::{child::NullBrokerProcess, memory};

#[test]
fn two_hundred_clients_leave_no_descriptor_no_task_and_no_memory() {
    let program = Command::new(env!("CARGO_BIN_EXE_maxq-bench"));
    let broker = NullBrokerProcess::start_by(program, &[]).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let clients = runtime.block_on(memory::churn(broker.name_server(), 200)).unwrap();
    assert!(clients.left_nothing(), "{clients}");
}
