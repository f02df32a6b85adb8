# answer: repair
# rejected: no line makes z_gust
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
    """
    return minute + rest
