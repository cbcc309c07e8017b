<?php
$items = json_decode(file_get_contents('php://input'), true)['items'];
$sum = 0;
foreach ($items as $item) $sum += $item['value'];
header('Content-Type: application/json');
echo json_encode(['sum' => $sum, 'count' => count($items), 'first' => $items[0]['name']]);
