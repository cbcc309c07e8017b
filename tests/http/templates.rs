//! Templates on a node: they go live with their functions, and a broken one leaves the last good one in force.

use std::fs;

use crate::kit::node::Node;

#[test]
fn a_template_is_live_as_soon_as_it_is_saved() {
    let node = Node::start_with(&[
        ("page.rhai", "render(\"page.html\", #{ name: ctx.request.query.name })"),
        ("_templates/page.html", "<p>{{ name }}"),
    ]);
    assert_eq!(node.get("/page?name=%3CAda%3E").text(), "<p>&lt;Ada&gt;");
    node.replace("_templates/page.html", "<b>{{ name }}");
    node.wait_for("/page?name=Ada", "<b>Ada");
    node.replace("_templates/page.html", "<i>{{ name ");
    node.wait_for_line(&["_templates/page.html:1:", "the template is malformed"]);
    assert_eq!(node.get("/page?name=Ada").text(), "<b>Ada");
    fs::remove_file(node.file("_templates/page.html")).unwrap();
    node.replace("_templates/page.html", "{{ name }}!");
    node.wait_for("/page?name=Ada", "Ada!");
}
