// The functions of the stories: orders whose price is worked out by a module, a handler that fails, and a schedule.
export const SHOP = {
	'hello.rhai': '#{ hello: "world" }\n',
	'_lib/price.rhai': 'fn total(order) {\n    if order.count > 10 { throw `nobody needs ${order.count}`; }\n    order.count * 3\n}\n',
	'orders/index.post.rhai': [
		'import "_lib/price" as price;',
		'let order = ctx.request.body;',
		'log::info(`an order of ${order.count}`);',
		'let total = price::total(order);',
		'emit("order.placed", #{ total: total });',
		'#{ total: total }',
		''
	].join('\n'),
	'_events/order.placed.rhai': '+++\n[retry]\nattempts = 1\n+++\nthrow "nobody packs";\n',
	'_cron/tidy.rhai': '+++\ndescription = "Tidies at night"\n[[schedule]]\ncron = "30 2 * * *"\n+++\nlog::info("all is tidy");\n#{ tidied: 1 }\n'
};
