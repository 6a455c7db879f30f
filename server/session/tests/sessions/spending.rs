//! Budgets in tokens, and the size of a context that no provider counted.

use kit_protocol::{Budget, Budgets, ErrorKind, Settings, StopReason};
use serde_json::json;

use crate::harness::{Kit, call};

fn budget(tokens: u64) -> Settings {
    let session = Some(Budget { usd: None, tokens: Some(tokens) });
    Settings { budget: Some(Budgets { session, ..Budgets::default() }), ..Settings::default() }
}

#[tokio::test]
async fn a_budget_in_tokens_holds_without_a_price() {
    let large = json!({"usage": {"input": 90_000, "output": 10}});
    let script = [json!([call("ls", json!({})), large]), json!([{"text": "1"}])];
    let kit = Kit::with_settings(&script, budget(100_000));
    let turn = kit.turn("one").await;
    assert_eq!(
        (turn.stop(), turn.values("error")[0]["kind"].clone()),
        (StopReason::Budget, json!(ErrorKind::Budget))
    );
    let status = kit.sessions.status();
    let budget = status.usage.budget.unwrap();
    assert_eq!(
        (budget.limit_tokens, budget.used_tokens, budget.limit_micros),
        (Some(100_000), Some(90_010), None)
    );
}

#[tokio::test]
async fn a_context_that_nobody_counted_is_estimated_and_said_to_be() {
    let uncounted = json!({"usage": {"input": 0, "output": 0}});
    let counted = json!({"usage": {"input": 700, "output": 7}});
    let kit = Kit::new(&[json!([{"text": "1"}, uncounted]), json!([{"text": "2"}, counted])]);
    kit.turn("one").await;
    let usage = kit.sessions.status().usage;
    assert!(usage.context_estimated && usage.context_used > 100, "{usage:?}");
    kit.turn("two").await;
    let usage = kit.sessions.status().usage;
    assert_eq!((usage.context_used, usage.context_estimated), (707, false));
}
