//! F4 in Rust: an order, checked, as a page.

use std::fmt::Write;

use axum::{
    Json,
    http::StatusCode,
    response::{Html, IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
pub struct Order {
    id: String,
    customer: Customer,
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Customer {
    name: String,
    country: String,
    level: String,
}

#[derive(Deserialize)]
struct Item {
    sku: String,
    name: String,
    quantity: i64,
    price: i64,
    grams: i64,
    gift: bool,
}

struct Line<'a> {
    name: &'a str,
    quantity: i64,
    total: i64,
}

impl Item {
    fn line(&self, level: &str) -> Line<'_> {
        Line { name: &self.name, quantity: self.quantity, total: for_level(self.price, level) * self.quantity }
    }
}

impl Order {
    /// Answers with the page, or with what is wrong with the order.
    pub fn page(&self) -> Response {
        if let Err(error) = self.check() {
            return (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({ "error": error }))).into_response();
        }
        let Self { id, customer, items } = self;
        let lines: Vec<Line<'_>> = items.iter().filter(|item| !item.gift).map(|item| item.line(&customer.level)).collect();
        let net: i64 = lines.iter().map(|line| line.total).sum();
        let grams = items.iter().map(|item| item.grams * item.quantity).sum();
        let tax = net * vat_per_mille(&customer.country) / 1000;
        let mut rows = String::new();
        for Line { name, quantity, total } in &lines {
            let _ = write!(rows, "<tr><td>{name}</td><td>{quantity}</td><td>{total}</td></tr>");
        }
        let (shipping, name) = (shipping(grams), &customer.name);
        let total = net + tax + shipping;
        let sums = format!("<p>net {net}, tax {tax}, shipping {shipping}, total {total}</p>");
        Html(format!("<h1>Order {id} of {name}</h1><table>{rows}</table>{sums}")).into_response()
    }

    fn check(&self) -> Result<(), String> {
        if self.customer.name.is_empty() {
            return Err("an order has a customer".into());
        }
        if self.items.is_empty() {
            return Err("an order has items".into());
        }
        match self.items.iter().find(|item| item.quantity < 1) {
            Some(item) => Err(format!("the quantity of {} is a number above 0", item.sku)),
            None => Ok(()),
        }
    }
}

fn for_level(price: i64, level: &str) -> i64 {
    match level {
        "gold" => price - price / 10,
        "silver" => price - price / 20,
        _ => price,
    }
}

fn vat_per_mille(country: &str) -> i64 {
    match country {
        "DE" => 190,
        "FR" => 200,
        "CH" | "LI" => 81,
        _ => 0,
    }
}

fn shipping(grams: i64) -> i64 {
    match grams {
        0..1_000 => 490,
        1_000..5_000 => 790,
        5_000..20_000 => 1_490,
        _ => 2_990,
    }
}
