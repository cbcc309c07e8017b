<?php
require_once __DIR__ . '/prices.inc';

function check($order) {
    if (($order['customer']['name'] ?? '') === '') throw new Exception('an order has a customer');
    if (count($order['items']) === 0) throw new Exception('an order has items');
    foreach ($order['items'] as $item) {
        if (!is_int($item['quantity']) || $item['quantity'] < 1) throw new Exception("the quantity of {$item['sku']} is a number above 0");
    }
}

function vat_per_mille($country) {
    switch ($country) {
        case 'DE': return 190;
        case 'FR': return 200;
        case 'CH': case 'LI': return 81;
        default: return 0;
    }
}

function shipping($grams) {
    if ($grams < 1000) return 490;
    if ($grams < 5000) return 790;
    if ($grams < 20000) return 1490;
    return 2990;
}

function row($line) {
    return "<tr><td>{$line['name']}</td><td>{$line['quantity']}</td><td>{$line['total']}</td></tr>";
}

$order = json_decode(file_get_contents('php://input'), true);
try { check($order); } catch (Exception $why) {
    http_response_code(422);
    header('Content-Type: application/json');
    echo json_encode(['error' => $why->getMessage()]);
    return;
}

$level = $order['customer']['level'];
$lines = array_map(fn($item) => [
    'sku' => $item['sku'], 'name' => $item['name'], 'quantity' => $item['quantity'],
    'total' => price_for_level($item['price'], $level) * $item['quantity'],
], array_filter($order['items'], fn($item) => !$item['gift']));
$net = array_reduce($lines, fn($sum, $line) => $sum + $line['total'], 0);
$grams = 0;
foreach ($order['items'] as $item) $grams += $item['grams'] * $item['quantity'];
$tax = intdiv($net * vat_per_mille($order['customer']['country']), 1000);
$rows = '';
foreach ($lines as $line) $rows .= row($line);
$shipping = shipping($grams);
$total = $net + $tax + $shipping;
header('Content-Type: text/html; charset=utf-8');
echo "<h1>Order {$order['id']} of {$order['customer']['name']}</h1><table>$rows</table><p>net $net, tax $tax, shipping $shipping, total $total</p>";
