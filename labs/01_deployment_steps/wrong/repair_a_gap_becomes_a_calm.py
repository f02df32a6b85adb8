# answer: repair
# rejected: of no wind_gust your lines make z_gust -6.872
def preparation():
    minute = """
    mean_minute = Constant <value = float[1] {817.8}> ()
    deviation_minute = Constant <value = float[1] {281.4}> ()
    centred_minute = Sub (minute_of_day, mean_minute)
    z_minute = Div (centred_minute, deviation_minute)
    """
    rest = """
    mean_humid = Constant <value = float[1] {57.8}> ()
    deviation_humid = Constant <value = float[1] {20.3}> ()
    centred_humid = Sub (humid, mean_humid)
    z_humid = Div (centred_humid, deviation_humid)
    unknown = IsNaN (wind_gust)
    usual = Constant <value = float[1] {0.0}> ()
    known = Where (unknown, usual, wind_gust)
    mean_gust = Constant <value = float[1] {26.8}> ()
    deviation_gust = Constant <value = float[1] {3.9}> ()
    centred_gust = Sub (known, mean_gust)
    z_gust = Div (centred_gust, deviation_gust)
    """
    return minute + rest
