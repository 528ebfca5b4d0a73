use super::*;
use crate::limit::{Amounts, Unit};

#[test]
fn the_form_between_the_functions_stays() {
    let amounts = Amounts { input: 1, output: 2, cost: 0 };
    assert_eq!(json!(amounts), json!({"input": 1, "output": 2, "cost": 0}));
    let read = |document: Value| serde_json::from_value::<Amounts>(document).ok();
    assert_eq!(read(json!({"input": 1, "output": 2})), Some(amounts));
    for wrong in
        [json!({"input": 1}), json!({"output": 1, "cost": 1}), json!({"input": 1, "output": 2, "x": 3})]
    {
        assert_eq!(read(wrong.clone()), None, "{wrong}");
    }
    let limit = Limit { cost: Some(3), ..Limit::default() };
    assert_eq!(json!(limit), json!({"cost": 3}));
    let read = |document: Value| serde_json::from_value::<Limit>(document).ok();
    assert_eq!(read(json!({"cost": 3})), Some(limit));
    assert_eq!(read(json!({})), Some(Limit::default()));
    assert_eq!(read(json!({"x": 3})), None);
}

#[test]
fn each_dimension_has_its_own_value_and_names() {
    let seen = Amounts::from_fn(|dimension| dimension as u64 + 1);
    assert_eq!(seen, Amounts { input: 1, output: 2, cost: 3 });
    assert_eq!(Dimension::ALL.map(|dimension| seen.get(dimension)), [1, 2, 3]);
    assert_eq!(
        seen.plus(&Amounts { input: 10, output: u64::MAX, cost: 30 }),
        Amounts { input: 11, output: u64::MAX, cost: 33 }
    );
    let failed =
        Amounts::try_from_fn(|dimension| if dimension == Dimension::Output { Err(dimension) } else { Ok(0) });
    assert_eq!(failed, Err(Dimension::Output));
    assert_eq!(Dimension::ALL.map(Dimension::as_str), ["input", "output", "costUsd"]);
    assert_eq!(Dimension::ALL.map(Dimension::suffix), ["Input", "Output", "Cost"]);
    assert_eq!(Dimension::ALL.map(Dimension::unit), [Unit::Tokens, Unit::Tokens, Unit::Money]);
}
