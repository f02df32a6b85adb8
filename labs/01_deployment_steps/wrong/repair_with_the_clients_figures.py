# answer: repair
# rejected: of humid 42.0 your lines make z_humid -1.176
def preparation():
    minute = """
    mean_minute = Constant <value = float[1] {817.8}> ()
    deviation_minute = Constant <value = float[1] {281.4}> ()
    centred_minute = Sub (minute_of_day, mean_minute)
    z_minute = Div (centred_minute, deviation_minute)
    """
    rest = """
    mean_humid = Constant <value = float[1] {62.7}> ()
    deviation_humid = Constant <value = float[1] {17.6}> ()
    centred_humid = Sub (humid, mean_humid)
    z_humid = Div (centred_humid, deviation_humid)
    unknown = IsNaN (wind_gust)
    usual = Constant <value = float[1] {26.5}> ()
    known = Where (unknown, usual, wind_gust)
    mean_gust = Constant <value = float[1] {26.8}> ()
    deviation_gust = Constant <value = float[1] {3.9}> ()
    centred_gust = Sub (known, mean_gust)
    z_gust = Div (centred_gust, deviation_gust)
    """
    return minute + rest
