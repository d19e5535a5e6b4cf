// Publishes one MessagePosted: dotnet run -- AMQP_URL USER TEXT
// In a service with a host, services.AddMassTransit(bus => bus.UsingRabbitMq(...)) gives the publish endpoint by injection.
using MassTransit;
using Publisher;

var bus = Bus.Factory.CreateUsingRabbitMq(rabbit => rabbit.Host(new Uri(args[0])));
await bus.StartAsync();
try
{
    var room = new Room("greetings", [args[1], "grace"]);
    await new ChatRooms(bus).PostAsync(room, new ChatMessage(Guid.NewGuid(), "grace", "Grace", args[2]));
}
finally
{
    await bus.StopAsync();
}
