<?php
$user = json_decode(file_get_contents($_SERVER['UPSTREAM'] . '/user'), true);
header('Content-Type: application/json');
echo json_encode(['name' => $user['name'], 'city' => $user['address']['city']]);
