//! What a JSONata expression names, read from its syntax tree.

use std::collections::BTreeSet;

use jsonata_core::ast::{AstNode, BinaryOp, PathStep, Stage};
use jsonata_core::value::with_stack;

/// The names in an expression, without their `$`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    /// Variables and functions that it uses.
    pub(crate) used: BTreeSet<String>,
    /// Variables that it sets itself: with `:=`, `@` or `#`, or as a function's parameter.
    pub(crate) bound: BTreeSet<String>,
    /// The parts of `$states` that it reads by a plain path.
    parts: BTreeSet<String>,
    /// It uses `$states` in another way, and so may read all of it.
    whole: bool,
    /// An operator that JSONata got after the version that Step Functions has.
    pub(super) newer: Option<&'static str>,
}

impl Names {
    pub(super) fn of(tree: &AstNode) -> Self {
        let mut names = Self::default();
        names.walk(tree);
        names
    }

    /// Whether the expression reads a part of the reserved `$states` by its name.
    pub(crate) fn names_part(&self, part: &str) -> bool {
        self.parts.contains(part)
    }

    /// Whether the expression may read a part of the reserved `$states`.
    pub(crate) fn reads(&self, part: &str) -> bool {
        self.whole || self.parts.contains(part)
    }

    fn walk(&mut self, node: &AstNode) {
        // The recursion is as deep as the expression, which can exceed the stack of a thread.
        with_stack(|| self.node(node));
    }

    fn all<'a>(&mut self, nodes: impl IntoIterator<Item = &'a AstNode>) {
        nodes.into_iter().for_each(|node| self.walk(node));
    }

    fn node(&mut self, node: &AstNode) {
        match node {
            AstNode::Variable(name) => {
                self.whole |= name == "states";
                self.used.insert(name.clone());
            }
            AstNode::Function { name, args, .. } => {
                self.used.insert(name.clone());
                self.all(args);
            }
            AstNode::Lambda { params, body, .. } => {
                self.bound.extend(params.iter().cloned());
                self.walk(body);
            }
            AstNode::Binary { op, lhs, rhs } => {
                if let (BinaryOp::ColonEqual, AstNode::Variable(name)) = (op, &**lhs) {
                    self.bound.insert(name.clone());
                }
                self.newer = match op {
                    BinaryOp::Coalesce => Some("??"),
                    BinaryOp::Default => Some("?:"),
                    _ => self.newer,
                };
                self.all([&**lhs, rhs]);
            }
            AstNode::Path { steps } => self.path(steps),
            AstNode::Unary { operand: inner, .. } | AstNode::FunctionApplication(inner) => self.walk(inner),
            AstNode::Call { procedure, args } => {
                self.walk(procedure);
                self.all(args);
            }
            AstNode::Array(nodes) | AstNode::Block(nodes) | AstNode::ArrayGroup(nodes) => self.all(nodes),
            AstNode::Object(pairs) => self.all(pairs.iter().flat_map(|(key, value)| [key, value])),
            AstNode::ObjectTransform { input, pattern } => {
                self.walk(input);
                self.all(pattern.iter().flat_map(|(key, value)| [key, value]));
            }
            AstNode::Conditional { condition, then_branch, else_branch } => {
                self.all([&**condition, then_branch]);
                self.all(else_branch.as_deref());
            }
            AstNode::Sort { input, terms } => {
                self.walk(input);
                self.all(terms.iter().map(|(term, _)| term));
            }
            AstNode::Transform { location, update, delete } => {
                self.all([&**location, update]);
                self.all(delete.as_deref());
            }
            AstNode::String(_)
            | AstNode::Name(_)
            | AstNode::Number(_)
            | AstNode::Boolean(_)
            | AstNode::Null
            | AstNode::Undefined
            | AstNode::Placeholder
            | AstNode::Regex { .. }
            | AstNode::ParentVariable(_)
            | AstNode::Wildcard
            | AstNode::Descendant
            | AstNode::Parent(_) => {}
        }
    }

    fn path(&mut self, steps: &[PathStep]) {
        let mut steps = steps;
        if let [first, rest @ ..] = steps
            && let (AstNode::Variable(name), Some(AstNode::Name(part))) =
                (&first.node, rest.first().map(|step| &step.node))
            && name == "states"
            && first.stages.is_empty()
            && first.focus.is_none()
            && first.index_var.is_none()
        {
            self.used.insert(name.clone());
            self.parts.insert(part.clone());
            steps = rest;
        }
        for step in steps {
            self.walk(&step.node);
            self.bound.extend(step.focus.iter().chain(&step.index_var).cloned());
            for stage in &step.stages {
                match stage {
                    Stage::Filter(filter) => self.walk(filter),
                    Stage::Index(name) => {
                        self.bound.insert(name.clone());
                    }
                    Stage::KeepArray => {}
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(source: &str) -> Names {
        Names::of(&jsonata_core::parser::parse(source).unwrap())
    }

    #[test]
    fn names_inside_string_literals_are_ignored() {
        for (source, expected) in [
            ("$a & '$b' & \"$c\" & $d", "a d"),
            ("$contains($a, /['\"]$b/) and $c", "a c contains"),
            ("$a /* it's $b */ + $c", "a c"),
            ("$a / $b / $c", "a b c"),
            ("$a.`it's` & $b", "a b"),
            ("x[y] / $a & 'z' / $b", "a b"),
            ("$a.* / $b", "a b"),
            ("$map($a, $b)^(>$c)", "a b c map"),
            ("$a ~> |$b|{'x': $c}|", "a b c"),
        ] {
            let used: Vec<_> = names(source).used.into_iter().collect();
            assert_eq!(used.join(" "), expected, "{source}");
        }
    }

    #[test]
    fn a_deeply_nested_expression_is_read_completely() {
        for (open, close, depth) in [("[", "]", 400), ("{'a': ", "}", 400), ("($x := 1; ", ")", 990)] {
            let deep = format!("{}$a{}", open.repeat(depth), close.repeat(depth));
            assert!(names(&deep).used.contains("a"), "{open}");
        }
    }

    #[test]
    fn variables_that_an_expression_sets_are_distinguished() {
        for (source, expected) in [
            ("($a := 1; $a + $b)", "a"),
            ("$map($b, function ( $v , $i ) { $v + $i })", "i v"),
            ("$map($b, \u{3bb}($v) { $v })", "v"),
            ("$b & '$c := 1 function($d)'", ""),
            ("$b.x@$v.y#$i", "i v"),
        ] {
            let bound: Vec<_> = names(source).bound.into_iter().collect();
            assert_eq!(bound.join(" "), expected, "{source}");
        }
    }

    #[test]
    fn parts_of_states_are_found_in_any_notation() {
        for (source, expected) in [
            ("$states.input.a", "input"),
            ("$states . input & $states\n./* ' */result[0]", "input result"),
            ("$states.`input`", "input"),
            ("$statesman", ""),
            ("'$states'", ""),
            ("$states.input[$states.context.x = 1]", "context input"),
        ] {
            let names = names(source);
            let parts: Vec<_> = names.parts.into_iter().collect();
            assert_eq!((parts.join(" ").as_str(), names.whole), (expected, false), "{source}");
        }
        for whole in
            ["$states", "$states[\"input\"]", "$states.*", "$lookup($states, 'input')", "$states ~> $keys()"]
        {
            assert!(names(whole).whole, "{whole}");
        }
    }
}
