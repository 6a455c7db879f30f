//! TypeScript without its types.
//!
//! Types, and what else has no meaning when a program runs, become spaces, so every line and column stays where it is.
//! What would have to be turned into other code — enums, namespaces, parameter properties — is an error at its line, as
//! in other tools that only strip.

use std::path::Path;

use oxc_allocator::Allocator;
use oxc_ast::ast::{
    BindingIdentifier, CatchParameter, Class, ClassElement, Declaration, ExportAllDeclaration,
    ExportDeclaration, ExportDefaultDeclaration, ExportDefaultDeclarationKind, ExportFromDeclaration,
    ExportNamedDeclaration, FormalParameter, Function, FunctionType, ImportDeclaration,
    ImportDeclarationSpecifier, ImportOrExportKind, MethodDefinition, MethodDefinitionType,
    PropertyDefinition, PropertyDefinitionType, Statement, TSAsExpression, TSEnumDeclaration,
    TSExportAssignment, TSImportEqualsDeclaration, TSNamespaceDeclaration, TSNonNullExpression,
    TSSatisfiesExpression, TSThisParameter, TSTypeAnnotation, TSTypeAssertion, TSTypeParameterDeclaration,
    TSTypeParameterInstantiation, VariableDeclarator,
};
use oxc_ast_visit::Visit;
use oxc_ast_visit::walk;
use oxc_parser::Parser;
use oxc_span::{GetSpan, SourceType, Span};

use crate::source::SourceError;

/// Words before a member's name that are no JavaScript.
const MODIFIERS: [&str; 7] =
    ["public", "private", "protected", "readonly", "abstract", "override", "declare"];

/// The same file as JavaScript, every line and column where it was.
pub(crate) fn strip(path: &Path, text: &str) -> Result<String, SourceError> {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, text, SourceType::ts()).parse();
    let error = |offset: usize, message: String| {
        let before = text.get(..offset).unwrap_or(text);
        let line = u32::try_from(before.matches('\n').count()).unwrap_or_default();
        SourceError { path: path.to_path_buf(), line, message }
    };
    if let Some(diagnostic) = parsed.diagnostics.iter().next() {
        let offset = diagnostic
            .labels
            .iter()
            .next()
            .map_or(0, |label| usize::try_from(label.offset()).unwrap_or_default());
        return Err(error(offset, diagnostic.message.to_string()));
    }
    let mut stripper = Stripper { text, blanks: Vec::new(), unsupported: None };
    stripper.visit_program(&parsed.program);
    if let Some((span, what)) = stripper.unsupported {
        let message = format!("{what} cannot be stripped: write it as plain JavaScript");
        return Err(error(start(span), message));
    }
    let mut bytes = text.as_bytes().to_vec();
    for (from, to) in stripper.blanks {
        for byte in bytes.get_mut(from..to).into_iter().flatten() {
            if !matches!(*byte, b'\n' | b'\r') {
                *byte = b' ';
            }
        }
    }
    // Whole tokens became spaces, so what is left is text still.
    String::from_utf8(bytes).map_err(|lost| error(0, lost.to_string()))
}

fn start(span: Span) -> usize {
    usize::try_from(span.start).unwrap_or(usize::MAX)
}

fn end(span: Span) -> usize {
    usize::try_from(span.end).unwrap_or(usize::MAX)
}

struct Stripper<'t> {
    text: &'t str,
    blanks: Vec<(usize, usize)>,
    unsupported: Option<(Span, &'static str)>,
}

impl Stripper<'_> {
    fn blank(&mut self, span: Span) {
        self.blanks.push((start(span), end(span)));
    }

    fn refuse(&mut self, span: Span, what: &'static str) {
        self.unsupported.get_or_insert((span, what));
    }

    /// The first of the characters between two places.
    fn blank_first(&mut self, from: usize, to: usize, marks: &[char]) {
        let between = self.text.get(from..to).unwrap_or_default();
        if let Some(at) = between.find(marks) {
            self.blanks.push((from + at, from + at + 1));
        }
    }

    /// The words between two places that only say something about types.
    fn blank_modifiers(&mut self, from: usize, to: usize) {
        let between = self.text.get(from..to).unwrap_or_default();
        let mut at = 0;
        for word in between.split_inclusive(|c: char| !c.is_alphanumeric() && c != '_' && c != '$') {
            let name = word.trim_end_matches(|c: char| !c.is_alphanumeric() && c != '_' && c != '$');
            if MODIFIERS.contains(&name) {
                self.blanks.push((from + at, from + at + name.len()));
            }
            at += word.len();
        }
    }

    /// A list element with the comma behind it.
    fn blank_element(&mut self, span: Span) {
        let rest = self.text.get(end(span)..).unwrap_or_default();
        let spaces = rest.len() - rest.trim_start().len();
        let comma = usize::from(rest.trim_start().starts_with(','));
        let to = if comma == 1 { end(span) + spaces + 1 } else { end(span) };
        self.blanks.push((start(span), to));
    }
}

/// Whether a declaration is of types only.
fn is_type(declaration: &Declaration<'_>) -> bool {
    match declaration {
        Declaration::TSTypeAliasDeclaration(_)
        | Declaration::TSInterfaceDeclaration(_)
        | Declaration::TSExternalModuleDeclaration(_)
        | Declaration::TSGlobalDeclaration(_) => true,
        Declaration::FunctionDeclaration(function) => is_signature(function),
        Declaration::ClassDeclaration(class) => class.declare,
        Declaration::VariableDeclaration(variables) => variables.declare,
        Declaration::TSEnumDeclaration(declared) => declared.declare,
        Declaration::TSNamespaceDeclaration(declared) => declared.declare,
        Declaration::TSImportEqualsDeclaration(declared) => declared.import_kind == ImportOrExportKind::Type,
    }
}

fn is_signature(function: &Function<'_>) -> bool {
    function.declare
        || matches!(
            function.r#type,
            FunctionType::TSDeclareFunction | FunctionType::TSEmptyBodyFunctionExpression
        )
}

impl<'a> Visit<'a> for Stripper<'_> {
    fn visit_statement(&mut self, it: &Statement<'a>) {
        match it.as_declaration() {
            Some(declaration) if is_type(declaration) => self.blank(it.span()),
            Some(_) | None => walk::walk_statement(self, it),
        }
    }

    fn visit_export_declaration(&mut self, it: &ExportDeclaration<'a>) {
        if is_type(&it.declaration) {
            self.blank(it.span);
        } else {
            walk::walk_export_declaration(self, it);
        }
    }

    fn visit_export_default_declaration(&mut self, it: &ExportDefaultDeclaration<'a>) {
        let declaration = &it.declaration;
        let is_type = matches!(declaration, ExportDefaultDeclarationKind::TSInterfaceDeclaration(_))
            || matches!(declaration, ExportDefaultDeclarationKind::FunctionDeclaration(one) if is_signature(one));
        if is_type {
            self.blank(it.span);
        } else {
            walk::walk_export_default_declaration(self, it);
        }
    }

    fn visit_export_named_declaration(&mut self, it: &ExportNamedDeclaration<'a>) {
        if it.export_kind == ImportOrExportKind::Type {
            return self.blank(it.span);
        }
        for specifier in it.specifiers.iter().filter(|one| one.export_kind == ImportOrExportKind::Type) {
            self.blank_element(specifier.span);
        }
    }

    fn visit_export_from_declaration(&mut self, it: &ExportFromDeclaration<'a>) {
        if it.export_kind == ImportOrExportKind::Type {
            return self.blank(it.span);
        }
        for specifier in it.specifiers.iter().filter(|one| one.export_kind == ImportOrExportKind::Type) {
            self.blank_element(specifier.span);
        }
    }

    fn visit_export_all_declaration(&mut self, it: &ExportAllDeclaration<'a>) {
        if it.export_kind == ImportOrExportKind::Type {
            self.blank(it.span);
        }
    }

    fn visit_import_declaration(&mut self, it: &ImportDeclaration<'a>) {
        if it.import_kind == ImportOrExportKind::Type {
            return self.blank(it.span);
        }
        for specifier in it.specifiers.iter().flatten() {
            if let ImportDeclarationSpecifier::ImportSpecifier(specifier) = specifier
                && specifier.import_kind == ImportOrExportKind::Type
            {
                self.blank_element(specifier.span);
            }
        }
    }

    fn visit_ts_import_equals_declaration(&mut self, it: &TSImportEqualsDeclaration<'a>) {
        self.refuse(it.span, "`import … =`");
    }

    fn visit_ts_export_assignment(&mut self, it: &TSExportAssignment<'a>) {
        self.refuse(it.span, "`export =`");
    }

    fn visit_ts_enum_declaration(&mut self, it: &TSEnumDeclaration<'a>) {
        self.refuse(it.span, "an enum");
    }

    fn visit_ts_namespace_declaration(&mut self, it: &TSNamespaceDeclaration<'a>) {
        self.refuse(it.span, "a namespace");
    }

    fn visit_ts_type_annotation(&mut self, it: &TSTypeAnnotation<'a>) {
        self.blank(it.span);
    }

    fn visit_ts_type_parameter_declaration(&mut self, it: &TSTypeParameterDeclaration<'a>) {
        self.blank(it.span);
    }

    fn visit_ts_type_parameter_instantiation(&mut self, it: &TSTypeParameterInstantiation<'a>) {
        self.blank(it.span);
    }

    fn visit_ts_this_parameter(&mut self, it: &TSThisParameter<'a>) {
        self.blank_element(it.span);
    }

    fn visit_ts_as_expression(&mut self, it: &TSAsExpression<'a>) {
        self.blanks.push((end(it.expression.span()), end(it.span)));
        self.visit_expression(&it.expression);
    }

    fn visit_ts_satisfies_expression(&mut self, it: &TSSatisfiesExpression<'a>) {
        self.blanks.push((end(it.expression.span()), end(it.span)));
        self.visit_expression(&it.expression);
    }

    fn visit_ts_non_null_expression(&mut self, it: &TSNonNullExpression<'a>) {
        self.blanks.push((end(it.expression.span()), end(it.span)));
        self.visit_expression(&it.expression);
    }

    fn visit_ts_type_assertion(&mut self, it: &TSTypeAssertion<'a>) {
        self.blanks.push((start(it.span), start(it.expression.span())));
        self.visit_expression(&it.expression);
    }

    fn visit_variable_declarator(&mut self, it: &VariableDeclarator<'a>) {
        if it.definite {
            let to = it.type_annotation.as_ref().map_or(end(it.span), |annotation| start(annotation.span));
            self.blank_first(end(it.id.span()), to, &['!']);
        }
        walk::walk_variable_declarator(self, it);
    }

    fn visit_catch_parameter(&mut self, it: &CatchParameter<'a>) {
        walk::walk_catch_parameter(self, it);
    }

    fn visit_formal_parameter(&mut self, it: &FormalParameter<'a>) {
        if it.accessibility.is_some() || it.readonly || it.r#override {
            self.refuse(it.span, "a parameter property");
        }
        if it.optional {
            let to = it.type_annotation.as_ref().map_or(end(it.span), |annotation| start(annotation.span));
            self.blank_first(end(it.pattern.span()), to, &['?']);
        }
        walk::walk_formal_parameter(self, it);
    }

    fn visit_class(&mut self, it: &Class<'a>) {
        if it.r#abstract {
            let to = it.id.as_ref().map_or(start(it.body.span), |id: &BindingIdentifier<'_>| start(id.span));
            self.blank_modifiers(start(it.span), to);
        }
        if let (Some(first), Some(last)) = (it.implements.first(), it.implements.last()) {
            let before = self.text.get(..start(first.span)).unwrap_or_default();
            let from = before.rfind("implements").unwrap_or(start(first.span));
            self.blanks.push((from, end(last.span)));
        }
        walk::walk_class(self, it);
    }

    fn visit_class_element(&mut self, it: &ClassElement<'a>) {
        match it {
            ClassElement::TSIndexSignature(signature) => self.blank(signature.span),
            ClassElement::MethodDefinition(method)
                if method.r#type == MethodDefinitionType::TSAbstractMethodDefinition
                    || is_signature(&method.value) =>
            {
                self.blank(method.span);
            }
            ClassElement::PropertyDefinition(property)
                if property.declare
                    || property.r#type == PropertyDefinitionType::TSAbstractPropertyDefinition =>
            {
                self.blank(property.span);
            }
            ClassElement::StaticBlock(_)
            | ClassElement::MethodDefinition(_)
            | ClassElement::PropertyDefinition(_)
            | ClassElement::AccessorProperty(_) => walk::walk_class_element(self, it),
        }
    }

    fn visit_method_definition(&mut self, it: &MethodDefinition<'a>) {
        let key = it.key.span();
        self.blank_modifiers(start(it.span), start(key));
        if it.optional {
            self.blank_first(end(key), start(it.value.params.span), &['?']);
        }
        walk::walk_method_definition(self, it);
    }

    fn visit_property_definition(&mut self, it: &PropertyDefinition<'a>) {
        let key = it.key.span();
        self.blank_modifiers(start(it.span), start(key));
        if it.optional || it.definite {
            let to = it.type_annotation.as_ref().map_or(end(it.span), |annotation| start(annotation.span));
            self.blank_first(end(key), to, &['?', '!']);
        }
        walk::walk_property_definition(self, it);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(typed: &str, plain: &str) {
        let stripped = strip(Path::new("x.ts"), typed).unwrap();
        assert_eq!(stripped.len(), typed.len(), "{stripped}");
        let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(squeezed(&stripped), squeezed(plain), "{typed}");
        let lines = |text: &str| text.matches('\n').count();
        assert_eq!(lines(&stripped), lines(typed));
    }

    #[test]
    fn types_become_spaces() {
        check("const a: number = 1 as number;", "const a  = 1 ;");
        check("let a!: string;", "let a ;");
        check(
            "function f<T>(this: Window, a?: T, ...b: T[]): T { return a!; }",
            "function f ( a , ...b ) { return a ; }",
        );
        check("const f = async <T,>(a: T): Promise<T> => a satisfies T;", "const f = async (a ) => a ;");
        check("interface A { b: string }\ntype B = A | undefined;\nexport type C = B;\nvar x;", "var x;");
        check("import type { A } from 'a';\nimport { type B, c } from 'b';", "import { c } from 'b';");
        check("export type { A };\nexport { type B, c };", "export { c };");
        check("declare const a: string;\ndeclare function f(): void;\nf();", "f();");
        check("function f(a: string): void;\nfunction f(a: any) {}", "function f(a ) {}");
        check("try {} catch (error: unknown) {}", "try {} catch (error ) {}");
        check("const m = new Map<string, number>();", "const m = new Map ();");
    }

    #[test]
    fn classes_lose_what_is_only_for_types() {
        let typed = "abstract class A<T> extends B<T> implements C, D {\n  private readonly a?: string = '';\n  b!: number;\n  declare c: string;\n  [key: string]: unknown;\n  abstract d(): void;\n  protected override async e(): Promise<void> {}\n  public static readonly f = 1;\n}";
        let plain = "class A extends B {\n a = '';\n b ;\n async e() {}\n static f = 1;\n}";
        check(typed, plain);
    }

    #[test]
    fn what_needs_other_code_is_an_error_at_its_line() {
        let line = |text: &str| strip(Path::new("x.ts"), text).unwrap_err().line;
        assert_eq!(line("var a;\nenum B { C }"), 1);
        assert_eq!(line("class A {\n\n  constructor(private a: string) {}\n}"), 2);
        assert_eq!(line("var a;\nnamespace B { export const c = 1; }"), 1);
        assert_eq!(line("var a;\n\nlet let = ;"), 2);
    }
}
