-- Reply for how many ms the server is closed yet
return (closed())
