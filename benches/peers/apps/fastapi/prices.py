def for_level(price, level):
    return price - price // 10 if level == "gold" else price - price // 20 if level == "silver" else price
