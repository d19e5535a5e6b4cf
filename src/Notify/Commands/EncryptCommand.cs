using System.CommandLine;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using Notify.Store;
using Notify.Store.Encryption;

namespace Notify.Commands;

/// <summary><c>encrypt</c>: brings all secrets in the store under the current key.</summary>
internal static class EncryptCommand
{
    public static Command Create()
    {
        var command = new Command("encrypt", "Encrypts the store's secrets with Notify__Encryption__Key, also those under a previous key, which may go afterwards.").TakesConfiguration();
        command.SetAction((arguments, cancellationToken) => RunAsync(arguments, cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        var builder = NotifyApplication.CreateBuilder(arguments.Configuration());
        builder.Services.AddSingleton(TimeProvider.System).AddNotifyOptions(builder.Environment).AddNotifyStore(builder.Configuration);
        await using var services = builder.Services.BuildServiceProvider();
        _ = services.GetRequiredService<IOptions<NotifyOptions>>().Value;
        var cipher = services.GetRequiredService<SecretCipher>();
        if (cipher.CurrentKeyId is null)
        {
            throw new UsageException("No key is configured: set Notify__Encryption__Key ('openssl rand -base64 32' prints one).");
        }

        await services.GetRequiredService<EncryptionKeys>().CheckAsync(cancellationToken);
        await using var db = await services.GetRequiredService<IDbContextFactory<NotifyDbContext>>().CreateDbContextAsync(cancellationToken);
        var (changed, unreadable) = await Reencryption.EncryptAllAsync(db, cipher, cancellationToken);
        Console.WriteLine($"Encrypted {changed} rows; all secrets in the store are under the key {cipher.CurrentKeyId} now{(unreadable == 0 ? "" : $", but for {unreadable} subscriptions that cannot be read")}.");
        return 0;
    }
}
