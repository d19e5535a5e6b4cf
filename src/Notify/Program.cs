using System.CommandLine;
using Notify.Commands;

var root = new RootCommand("Notify: Web Push for teams whose systems already talk over a bus. Without a command it starts the service.")
{
    DemoCommand.Create(),
    VapidCommand.Create(),
    MigrateCommand.Create(),
    EncryptCommand.Create(),
    SendCommand.Create(),
    ReplayCommand.Create(),
};
ServeCommand.AddTo(root);
return await CommandLine.RunAsync(root, args);
