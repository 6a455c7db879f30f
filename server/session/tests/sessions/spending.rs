//! Budgets where no price is known, and the size of a context that no provider counted.

use kit_protocol::{Budget, Budgets, ErrorKind, Settings, StopReason};
use serde_json::json;

use crate::harness::{Kit, call};

fn budget(usd: Option<f64>, tokens: Option<u64>) -> Settings {
    let budgets = Budgets { session: Some(Budget { usd, tokens }), ..Budgets::default() };
    Settings { budget: Some(budgets), ..Settings::default() }
}

#[tokio::test]
async fn a_budget_in_money_says_once_that_a_model_has_no_price() {
    let script = [json!([call("ls", json!({}))]), json!([{"text": "1"}]), json!([{"text": "2"}])];
    let kit = Kit::with_settings(&script, budget(Some(0.000_001), None));
    let first = kit.turn("one").await;
    assert_eq!(first.stop(), StopReason::EndTurn);
    let notices = first.values("notice");
    assert_eq!(notices.len(), 1, "{:?}", first.types());
    assert!(notices[0]["message"].as_str().unwrap().starts_with("the price of scripted/test is not known"));
    assert_eq!(kit.turn("two").await.values("notice").len(), 0);
}

#[tokio::test]
async fn a_budget_in_tokens_holds_without_a_price() {
    let large = json!({"usage": {"input": 90_000, "output": 10}});
    let script = [json!([call("ls", json!({})), large]), json!([{"text": "1"}])];
    let kit = Kit::with_settings(&script, budget(None, Some(100_000)));
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
